/* What the parts of the runtime share. The runtime is the head of an AppImage: it makes the squashfs
 * that is appended to it visible as a folder, and becomes the program in there.
 *
 * Every part that includes squashfuse's headers must do so through this file, and first: they set
 * feature macros. */

#ifndef RUNTIME_H
#define RUNTIME_H

#include <squashfuse/ll.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* The exit code when the program could not be started, as shells and the published runtime have it. */
#define EXIT_NOT_STARTED 127

/* A folder of this process alone below a folder for temporary files. */
struct place {
	char folder[PATH_MAX];
	char root[PATH_MAX]; /* a folder in it: where the squashfs appears */
	int lock;            /* a lock that lasts as long as any process has this open */
};

/* Writes a path into `path`, which holds PATH_MAX bytes; false, with errno set, if it is too long. */
bool join(char *path, const char *folder, const char *name);

/* Makes a place below `base`, and starts a process that removes it once nobody uses it any more,
 * however this one ends. False, with errno set, if `base` is not fit. */
bool place_make(struct place *place, const char *base);

/* Gives a place up: it is removed in the background. */
void place_drop(struct place *place);

/* Starts a process that survives this one, without its terminal, folder and descriptors, but for
 * those in `fds`, which get new numbers. True in the new process, false in this one. */
bool detach(const char *name, int *fds, size_t n_fds);

/* Mounts the image on a folder by FUSE, and starts the process that serves it. False, with the
 * reason in `reason`, if that is not possible here. */
bool mount_image(sqfs *fs, const char *folder, char *reason, size_t size);

/* Unmounts what mount_image mounted. False while it is in use. */
bool unmount_image(const char *folder);

/* Writes what is in the image, or what of it matches a shell pattern, to a folder. False, with the
 * reason in `reason`, if that is not possible. */
bool extract_image(sqfs *fs, const char *folder, const char *pattern, char *reason, size_t size);

#endif
