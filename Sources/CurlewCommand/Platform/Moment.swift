#if Tools
#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A time of the wall clock, formatted in the local time zone.
struct Moment: Sendable {
    let seconds: Int
    let nanoseconds: Int

    static var now: Self {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Self(seconds: Int(time.tv_sec), nanoseconds: Int(time.tv_nsec))
    }

    /// The nanoseconds within the second, as nine digits.
    var nanosecondDigits: [UInt8] { Self.digits(self.nanoseconds, count: 9) }

    /// The microseconds within the second, as six digits.
    var microsecondDigits: [UInt8] { Self.digits(self.nanoseconds / 1000, count: 6) }

    /// Formats with strftime; empty if the result is longer than 99 bytes.
    func formatted(_ format: [UInt8]) -> [UInt8] {
        var time = time_t(self.seconds)
        var parts = tm()
        localtime_r(&time, &parts)
        let format = format.map(CChar.init(bitPattern:)) + [0]
        var text = [CChar](repeating: 0, count: 100)
        let count = strftime(&text, text.count, format, &parts)
        return text.prefix(count).map(UInt8.init(bitPattern:))
    }

    func formatted(_ format: String) -> [UInt8] { self.formatted(Array(format.utf8)) }

    private static func digits(_ value: Int, count: Int) -> [UInt8] {
        let digits = Array(String(value).utf8)
        return Array(repeating: 0x30, count: max(0, count - digits.count)) + digits
    }
}

extension Double {
    /// Formats with this many significant digits, like C's `%g`.
    func formatted(digits: Int) -> [UInt8] {
        var text = [CChar](repeating: 0, count: 64)
        let count = withVaList([Int32(digits), self]) { vsnprintf(&text, text.count, "%.*g", $0) }
        return text.prefix(max(0, Int(count))).map(UInt8.init(bitPattern:))
    }

    static func read(_ text: [UInt8]) -> Double { self.readPrefix(text)?.value ?? .nan }

    /// The number at the beginning of the bytes, and its length; `nil` if there is none.
    static func readPrefix(_ text: [UInt8]) -> (value: Double, length: Int)? {
        let text = text.map(CChar.init(bitPattern:)) + [0]
        return text.withUnsafeBufferPointer { buffer in
            var end: UnsafeMutablePointer<CChar>?
            guard let start = buffer.baseAddress else { return nil }
            let value = strtod(start, &end)
            guard let end, UnsafePointer(end) > start else { return nil }
            return (value, UnsafePointer(end) - start)
        }
    }
}
#endif
