/* The image as files: for machines without FUSE, and for those who want to look inside. */

#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_all(int fd, const char *bytes, size_t n_bytes)
{
	while (n_bytes > 0) {
		ssize_t n_written = write(fd, bytes, n_bytes);
		if (n_written < 0 && errno == EINTR)
			continue;
		if (n_written <= 0)
			return false;
		bytes += n_written;
		n_bytes -= (size_t)n_written;
	}
	return true;
}

/* Copies the content of a file of the image to an open file. */
static bool copy_content(sqfs *fs, sqfs_inode *inode, int fd)
{
	size_t block_size = fs->sb.block_size;
	char *block = malloc(block_size);
	uint64_t n_done = 0;
	bool done = block != NULL;
	while (done && n_done < inode->xtra.reg.file_size) {
		sqfs_off_t n_bytes = (sqfs_off_t)block_size;
		errno = EIO; /* what squashfuse reports has no number */
		done = sqfs_read_range(fs, inode, (sqfs_off_t)n_done, &n_bytes, block) == SQFS_OK && n_bytes > 0 &&
		       write_all(fd, block, (size_t)n_bytes);
		n_done += (uint64_t)n_bytes;
	}
	free(block);
	return done;
}

static bool extract_file(sqfs *fs, sqfs_inode *inode, const char *path)
{
	if (unlink(path) != 0 && errno != ENOENT)
		return false;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = inode->base.mtime}};
	bool done = copy_content(fs, inode, fd) && fchmod(fd, inode->base.mode & 0777) == 0 &&
		    futimens(fd, times) == 0;
	/* close tells of a full disk on some network file systems */
	int error = errno;
	if (close(fd) != 0)
		return false;
	errno = error;
	return done;
}

static bool extract_link(sqfs *fs, sqfs_inode *inode, const char *path)
{
	char target[PATH_MAX];
	size_t size = sizeof target;
	errno = EIO;
	if (sqfs_readlink(fs, inode, target, &size) != SQFS_OK)
		return false;
	if (unlink(path) != 0 && errno != ENOENT)
		return false;
	return symlink(target, path) == 0;
}

/* Makes the folders on the way to a path, behind its first `n_known` bytes. */
static bool make_parents(char *path, size_t n_known)
{
	for (char *end = strchr(path + n_known, '/'); end; end = strchr(end + 1, '/')) {
		*end = '\0';
		bool made = mkdir(path, 0755) == 0 || errno == EEXIST;
		*end = '/';
		if (!made)
			return false;
	}
	return true;
}

/* Extracts what a walk has come to. `path` is where it goes. */
static bool extract_entry(sqfs *fs, sqfs_dir_entry *entry, const char *path)
{
	sqfs_inode inode;
	errno = EIO;
	if (sqfs_inode_get(fs, &inode, sqfs_dentry_inode(entry)) != SQFS_OK)
		return false;
	if (S_ISDIR(inode.base.mode))
		return mkdir(path, 0755) == 0 || errno == EEXIST;
	if (S_ISREG(inode.base.mode))
		return extract_file(fs, &inode, path);
	if (S_ISLNK(inode.base.mode))
		return extract_link(fs, &inode, path);
	errno = ENOTSUP; /* devices and pipes have no place in an AppImage */
	return false;
}

bool extract_image(sqfs *fs, const char *folder, const char *pattern, char *reason, size_t size)
{
	sqfs_traverse walk;
	sqfs_err error = sqfs_traverse_open(&walk, fs, sqfs_inode_root(fs));
	if (error != SQFS_OK) {
		snprintf(reason, size, "the appended squashfs can't be read");
		return false;
	}
	bool done = true;
	mode_t mask = umask(022); /* the caller's might keep us out of our own folders */
	while (done && sqfs_traverse_next(&walk, &error)) {
		char path[PATH_MAX];
		if (walk.dir_end)
			continue;
		if (pattern && fnmatch(pattern, walk.path, FNM_FILE_NAME | FNM_LEADING_DIR) != 0)
			continue;
		done = join(path, folder, walk.path) && (!pattern || make_parents(path, strlen(folder) + 1)) &&
		       extract_entry(fs, &walk.entry, path);
		if (!done)
			snprintf(reason, size, "%s: %s", walk.path, strerror(errno));
	}
	sqfs_traverse_close(&walk);
	umask(mask);
	if (done && error != SQFS_OK) {
		snprintf(reason, size, "the appended squashfs is damaged");
		done = false;
	}
	return done;
}
