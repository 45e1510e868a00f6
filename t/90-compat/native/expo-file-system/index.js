/* Only large uploads read files, which are not tried here. */
