/* Starts the bundled interpreter with the bundled loader and libraries, wherever the folder lies.
 *
 * The same executable stands in an AppDir under two names. `AppRun` is the program: the interpreter
 * runs MODULE. `usr/bin/python3` is the interpreter, and what it calls sys.executable; so programs that
 * start themselves again, as rico-hdl verify does, come back here. A script would need a shell, which
 * not every root has.
 *
 * The interpreter is isolated (-I): neither PYTHON* variables, the user's packages nor the current
 * folder have a say. Names are UTF-8 (-X utf8), whatever locales the machine has. */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define EXIT_NOT_STARTED 127
#define PROGRAM "/AppRun"
#define PYTHON "/usr/bin/python3"
#define LIBRARIES "/usr/lib/x86_64-linux-gnu"
#define LOADER LIBRARIES "/ld-linux-x86-64.so.2"

/* The folder that a path lies in, if the path ends in `name`; else NULL. */
static char *without(const char *path, const char *name)
{
	size_t length = strlen(path), n_name = strlen(name);
	if (length < n_name || strcmp(path + length - n_name, name) != 0)
		return NULL;
	return strndup(path, length - n_name);
}

static char *below(const char *folder, const char *name)
{
	char *path;
	if (asprintf(&path, "%s%s", folder, name) >= 0)
		return path;
	perror(name);
	exit(EXIT_NOT_STARTED);
}

int main(int argc, char **argv)
{
	/* What the kernel was told to run; /proc need not be there. */
	char self[PATH_MAX], *run = (char *)getauxval(AT_EXECFN);
	if (!run || !realpath(run, self)) {
		fprintf(stderr, "%s: can't find out where it lies: %s\n", argv[0], strerror(errno));
		return EXIT_NOT_STARTED;
	}
	char *program = without(self, PROGRAM), *folder = program ? program : without(self, PYTHON);
	if (!folder) {
		fprintf(stderr, "%s: must be called AppRun or lie in usr/bin as python3\n", self);
		return EXIT_NOT_STARTED;
	}
	char *start[] = {
		below(folder, LOADER),
		/* Neither the machine's libraries nor LD_LIBRARY_PATH are looked at. */
		"--inhibit-cache", "--library-path", below(folder, LIBRARIES),
		"--argv0", below(folder, PYTHON), below(folder, INTERPRETER),
		"-I", "-X", "utf8", "-m", MODULE,
	};
	size_t n_start = sizeof start / sizeof *start - (program ? 0 : 2);
	char **command = calloc(n_start + (size_t)argc + 1, sizeof *command);
	if (!command) {
		perror(self);
		return EXIT_NOT_STARTED;
	}
	memcpy(command, start, n_start * sizeof *start);
	for (int i = 1; i < argc; i++)
		command[n_start + (size_t)i - 1] = argv[i];
	/* Libraries of the machine that were built for another C library than the bundled one. */
	unsetenv("LD_PRELOAD");
	unsetenv("LD_AUDIT");
	execv(command[0], command);
	fprintf(stderr, "%s: %s\n", command[0], strerror(errno));
	return EXIT_NOT_STARTED;
}
