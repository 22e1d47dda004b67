/* Folders for temporary files that never stay behind.
 *
 * A place is locked by whoever uses it: the process that made it, and the program it becomes. A
 * second process waits for that lock, then unmounts and removes the place. So the program keeps the
 * process id, the terminal and the parent of the AppImage, signals and exit codes pass nobody, and a
 * program that is killed is cleaned up after, too. Where everything was killed at once, as by the end
 * of a batch job, the next start finds the place unlocked, and removes it. */

#include "runtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "appimage-"
#define LOCK "lock"
#define ROOT "root"

/* The first that is not stdin, stdout or stderr. */
#define FIRST_FD 3

bool join(char *path, const char *folder, const char *name)
{
	int length = snprintf(path, PATH_MAX, "%s/%s", folder, name);
	if (length >= 0 && length < PATH_MAX)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

/* Closes all descriptors from `first` on. */
static void close_from(int first)
{
	long n_open = sysconf(_SC_OPEN_MAX);
	if (close_range((unsigned)first, ~0U, 0) == 0)
		return;
	/* Linux before 5.9 */
	for (int fd = first; fd < (n_open > 0 && n_open < 65536 ? n_open : 65536); fd++)
		close(fd);
}

/* Has the standard descriptors lead nowhere. */
static void mute(void)
{
	int null = open("/dev/null", O_RDWR);
	if (null < 0)
		null = open("/", O_RDONLY); /* a root without devices: what is written fails */
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
}

bool detach(const char *name, int *fds, size_t n_fds)
{
	static const int IGNORED[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGTSTP};
	pid_t child = fork();
	if (child < 0)
		return false;
	if (child > 0) {
		/* The one in between ends at once; the program shall find no children that it did not start. */
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
		return false;
	}
	setsid();
	if (fork() != 0)
		_exit(0);
	for (size_t i = 0; i < sizeof IGNORED / sizeof *IGNORED; i++)
		signal(IGNORED[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	prctl(PR_SET_NAME, name);
	/* Nobody shall wait for the end of this process to read the end of a pipe. */
	mute();
	for (size_t i = 0; i < n_fds; i++)
		fds[i] = fcntl(fds[i], F_DUPFD, FIRST_FD + (int)n_fds);
	for (size_t i = 0; i < n_fds; i++)
		fds[i] = dup2(fds[i], FIRST_FD + (int)i);
	close_from(FIRST_FD + (int)n_fds);
	if (chdir("/") != 0)
		_exit(1);
	return true;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)walk;
	if (type == FTW_DP)
		rmdir(path);
	else
		unlink(path);
	return 0;
}

/* Whether a program that lies in a folder runs: a child that has outlived the program, say. */
static bool runs_from(const char *folder)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	bool found = false;
	size_t length = strlen(folder);
	while (processes && !found && (entry = readdir(processes))) {
		char link[PATH_MAX], target[PATH_MAX];
		snprintf(link, sizeof link, "/proc/%.32s/exe", entry->d_name);
		ssize_t n_bytes = readlink(link, target, sizeof target);
		found = n_bytes > (ssize_t)length && strncmp(target, folder, length) == 0 && target[length] == '/';
	}
	if (processes)
		closedir(processes);
	return found;
}

/* Unmounts and removes a place that nobody has locked. False while something in it is in use. */
static bool cleared(const char *folder)
{
	char root[PATH_MAX];
	if (!join(root, folder, ROOT) || !unmount_image(root) || runs_from(root))
		return false;
	/* The lock file goes last, so that an interrupted removal is taken up by the next start. */
	nftw(root, remove_entry, 16, FTW_DEPTH | FTW_MOUNT | FTW_PHYS);
	nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_MOUNT | FTW_PHYS);
	return true;
}

/* Removes places that were left behind below a folder. */
static void sweep(const char *base)
{
	DIR *names = opendir(base);
	struct dirent *entry;
	while (names && (entry = readdir(names))) {
		char folder[PATH_MAX], path[PATH_MAX];
		struct stat status;
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 || !join(folder, base, entry->d_name) ||
		    !join(path, folder, LOCK))
			continue;
		/* Others may make folders of this name as they like: only our own are touched. */
		if (lstat(folder, &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid() ||
		    (status.st_mode & 0777) != 0700)
			continue;
		int lock = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0)
			cleared(folder);
		if (lock >= 0)
			close(lock);
	}
	if (names)
		closedir(names);
}

/* Waits until nobody holds the lock of a place, and removes it. Runs in a process of its own. */
static void watch(const char *folder, const char *base)
{
	char path[PATH_MAX];
	sweep(base);
	int lock = join(path, folder, LOCK) ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (lock < 0 || flock(lock, LOCK_EX) != 0)
		_exit(1);
	struct timespec pause = {.tv_nsec = 5000000};
	while (!cleared(folder)) {
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 640000000)
			pause.tv_nsec *= 2;
	}
	_exit(0);
}

/* Takes the lock of a new place. A sweep may have found it in the moment before: then it is gone. */
static bool locked(struct place *place)
{
	char path[PATH_MAX];
	struct stat status;
	if (!join(path, place->folder, LOCK))
		return false;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	/* Out of the way of scripts, which use low numbers; and kept by the program. */
	place->lock = fd < 0 ? -1 : fcntl(fd, F_DUPFD, 64);
	if (fd >= 0 && place->lock < 0)
		place->lock = dup(fd);
	if (fd >= 0)
		close(fd);
	if (place->lock < 0)
		return false;
	if (flock(place->lock, LOCK_EX | LOCK_NB) == 0 && fstat(place->lock, &status) == 0 && status.st_nlink > 0)
		return true;
	close(place->lock);
	errno = EAGAIN;
	return false;
}

/* Makes the folders of a place in `base`, and locks it. */
static bool made(struct place *place, const char *base)
{
	char path[PATH_MAX];
	if (!join(place->folder, base, PREFIX "XXXXXX") || !mkdtemp(place->folder))
		return false;
	if (join(place->root, place->folder, ROOT) && locked(place) && mkdir(place->root, 0700) == 0)
		return true;
	int error = errno;
	if (join(path, place->folder, LOCK))
		unlink(path);
	rmdir(place->folder);
	errno = error;
	return false;
}

bool place_make(struct place *place, const char *base)
{
	char real[PATH_MAX];
	mode_t mask = umask(077); /* the caller's might keep us out of our own folders */
	bool done = realpath(base, real) && made(place, real);
	umask(mask);
	if (done && detach("appimage-clean", NULL, 0))
		watch(place->folder, real);
	return done;
}

void place_drop(struct place *place)
{
	close(place->lock);
}
