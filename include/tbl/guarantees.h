/* What sandboxes guarantee beyond being sandboxes, and machines may be unable to: GUARANTEE(name, what is so without it). Those that are not in executor_accept must
 * hold, or functions are off. */
GUARANTEE(memory, "one function can take all memory, and others are killed for it")
GUARANTEE(processes, "one function can take all processes of the machine")
GUARANTEE(processors, "one function can take all processors")
GUARANTEE(identity, "sandboxes are the same user outside, so that only namespaces keep them apart")
GUARANTEE(network, "functions reach neither the Internet nor the API")
