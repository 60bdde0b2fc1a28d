// The one function of libFuzzer that a fuzz target calls, to run its loop from a `main` that Swift has made.
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));
