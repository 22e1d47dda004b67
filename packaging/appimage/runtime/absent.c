/* What Debian's squashfuse calls to decompress LZO, which nobody asks of an AppImage of ours.
 *
 * liblzo2 is under the GPL, which would then hold for the whole runtime. A squashfs that needs it
 * can't be read. */

#include <stddef.h>

int lzo1x_decompress_safe(const unsigned char *source, size_t n_source, unsigned char *target,
			  size_t *n_target, void *memory);

int lzo1x_decompress_safe(const unsigned char *source, size_t n_source, unsigned char *target,
			  size_t *n_target, void *memory)
{
	(void)source, (void)n_source, (void)target, (void)n_target, (void)memory;
	return -1; /* LZO_E_ERROR */
}
