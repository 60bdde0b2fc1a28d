// The function of libFuzzer that a fuzz target calls to run libFuzzer's loop from a Swift `main`.
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));
