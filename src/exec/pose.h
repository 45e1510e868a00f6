/* What badal-pose (pose.c) ends with. */
#ifndef BADAL_EXEC_POSE_H
#define BADAL_EXEC_POSE_H

enum pose_end {
	POSE_DONE,
	POSE_REFUSED = 10,	/* the browser does not take what was asked for */
	POSE_NO_PAGE,		/* there is no page, or none that ends in time */
	POSE_NO_BROWSER		/* it cannot be started, or has ended */
};

#endif
