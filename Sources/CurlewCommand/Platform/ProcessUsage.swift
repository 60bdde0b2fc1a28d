#if Tools
// Resource usage of this process.
#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

enum ProcessUsage {
    /// The processor time of all threads so far, in user mode and kernel, in microseconds.
    static var processorMicroseconds: Double {
        var usage = rusage()
        getrusage(Self.whole, &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
    }

    /// The resident memory in bytes; `nil` if unknown.
    static var residentBytes: Int? {
        guard let file = try? Descriptor.open("/proc/self/statm") else { return nil }
        defer { file.closeFile() }
        guard let bytes = try? file.readSome(256) else { return nil }
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        return words.count > 1 ? Int(words[1]).map { $0 * Int(getpagesize()) } : nil
    }

    /// Raises the limit on open files as far as the system allows. Returns the new limit; `nil` if it is unknown.
    static func raiseFileLimit() -> Int? {
        var limit = rlimit()
        guard getrlimit(Self.files, &limit) == 0 else { return nil }
        limit.rlim_cur = limit.rlim_max
        setrlimit(Self.files, &limit)
        return Int(clamping: limit.rlim_cur)
    }

    /// Nanoseconds since 1970, for comparison between machines with synchronized clocks.
    static var wallNanoseconds: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    #if canImport(Glibc)
    private static let whole = RUSAGE_SELF.rawValue
    private static let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
    private static let whole = RUSAGE_SELF
    private static let files = RLIMIT_NOFILE
    #endif
}
#endif
