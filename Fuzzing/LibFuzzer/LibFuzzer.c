// A target needs a source file; the function itself comes with -sanitize=fuzzer.
