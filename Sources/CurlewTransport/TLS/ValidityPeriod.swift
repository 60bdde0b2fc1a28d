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
        // Count in years that begin in March, so that the leap day is the last day; 400 years have 146,097 days.
        let days = (Double(seconds) / Double(Self.day)).rounded(.down)
        guard days.magnitude < 3_000_000 else { return seconds < 0 ? "long ago" : "a time far away" }
        let shifted = Int(days) + 719_468
        let cycle = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfCycle = shifted - cycle * 146_097
        let yearOfCycle =
            (dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let month = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * month + 2) / 5 + 1
        let monthOfYear = month < 10 ? month + 3 : month - 9
        let year = yearOfCycle + cycle * 400 + (monthOfYear <= 2 ? 1 : 0)
        return "\(year)-\(Self.twoDigits(monthOfYear))-\(Self.twoDigits(dayOfMonth))"
    }

    /// A moment in UTC, such as "2026-11-27 at 09:30:00 UTC".
    static func moment(_ seconds: Int) -> String {
        let time = (seconds % Self.day + Self.day) % Self.day
        let parts = [time / 3600, time / 60 % 60, time % 60].map { Self.twoDigits($0) }
        return "\(Self.date(seconds)) at \(parts.joined(separator: ":")) UTC"
    }

    private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
