/* All that is read of a zlib before its version is refused. */
#define ZLIB_VERNUM 0x12c0
