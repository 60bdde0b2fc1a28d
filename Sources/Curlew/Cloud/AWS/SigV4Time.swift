#if AWS
import CurlewCore

/// A time of signing, in whole seconds.
package struct SigV4Time: Hashable, Sendable, CustomStringConvertible {
    package let secondsSince1970: Int

    private static let secondsPerDay = 86_400
    /// 9999-12-31T23:59:59Z.
    private static let last = 253_402_300_799

    /// - Parameter seconds: Seconds since 1970. A time before it, or after the year 9999, becomes the nearest one in
    ///   between; the service refuses the signature of such a clock anyway.
    package init(secondsSince1970 seconds: Int) {
        self.secondsSince1970 = min(max(seconds, 0), Self.last)
    }

    /// Parses a time of the form `20150830T123600Z`; `nil` if it has another form or is before 1970.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z") else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            var number = 0
            for byte in bytes[range] {
                guard (0x30...0x39).contains(byte) else { return nil }
                number = number * 10 + Int(byte - 0x30)
            }
            return number
        }
        guard let year = number(0..<4), let month = number(4..<6), let day = number(6..<8), let hour = number(9..<11),
            let minute = number(11..<13), let second = number(13..<15), hour < 24, minute < 60, second < 60,
            let days = CivilDate(year: year, month: month, day: day)?.daysSince1970, days >= 0
        else { return nil }
        self.secondsSince1970 = days * Self.secondsPerDay + hour * 3600 + minute * 60 + second
    }

    /// The day, such as `20150830`.
    package var day: String {
        // Never `nil`: the number of seconds is bounded.
        guard let date = CivilDate(daysSince1970: self.secondsSince1970 / Self.secondsPerDay) else { return "" }
        return Self.digits(date.year, 4) + Self.digits(date.month, 2) + Self.digits(date.day, 2)
    }

    /// Such as `20150830T123600Z`.
    package var description: String {
        let second = self.secondsSince1970 % Self.secondsPerDay
        return "\(self.day)T" + [second / 3600, second / 60 % 60, second % 60].map { Self.digits($0, 2) }.joined() + "Z"
    }

    private static func digits(_ number: Int, _ count: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
}
#endif
