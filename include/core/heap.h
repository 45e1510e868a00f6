/* Memory that was freed goes back to the kernel in slices, so that no free() holds the loop up. */
#ifndef BADAL_CORE_HEAP_H
#define BADAL_CORE_HEAP_H

void heap_setup(void);	/* once per process, after loop_init */

#endif
