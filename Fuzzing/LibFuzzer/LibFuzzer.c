// A target needs a source file; the function comes with -sanitize=fuzzer.
