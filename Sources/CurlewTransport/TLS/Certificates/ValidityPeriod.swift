import CurlewCore
import NIOSSL

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// The period in which a certificate is valid, in seconds since 1970.
struct ValidityPeriod: Hashable, Sendable {
    let start: Int
    let end: Int

    /// The position of a moment relative to the period.
    enum Phase: Equatable {
        case notYetValid
        case valid
        /// Valid, but for less than ``noticePeriod``.
        case endsSoon(days: Int)
        case expired
    }

    /// The end of a period without one. Less than the maximum, so that differences never overflow.
    static let noEnd = Int.max / 2

    /// How long before the end to warn.
    static let noticePeriod = 14 * Self.day

    private static let day = 86_400

    init(start: Int, end: Int) {
        self.start = start
        self.end = end
    }

    init(_ certificate: NIOSSLCertificate) {
        self.init(start: Int(certificate.notValidBefore), end: Int(certificate.notValidAfter))
    }

    /// The current time in seconds since 1970.
    static var now: Int { Int(time(nil)) }

    func phase(at now: Int) -> Phase {
        if now < self.start { return .notYetValid }
        if now > self.end { return .expired }
        let rest = self.end - now
        return rest < Self.noticePeriod ? .endsSoon(days: rest / Self.day) : .valid
    }

    /// A date in UTC, such as 2026-11-27.
    static func date(_ seconds: Int) -> String {
        let days = (Double(seconds) / Double(Self.day)).rounded(.down)
        guard days.magnitude < 3_000_000, let date = CivilDate(daysSince1970: Int(days)) else {
            return seconds < 0 ? "long ago" : "a time far away"
        }
        return date.description
    }

    /// A moment in UTC, such as "2026-11-27 at 09:30:00 UTC".
    static func moment(_ seconds: Int) -> String {
        let time = (seconds % Self.day + Self.day) % Self.day
        let parts = [time / 3600, time / 60 % 60, time % 60].map { Self.twoDigits($0) }
        return "\(Self.date(seconds)) at \(parts.joined(separator: ":")) UTC"
    }

    private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
