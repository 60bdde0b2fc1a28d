/// A day of the Gregorian calendar.
package struct CivilDate: Hashable, Sendable, CustomStringConvertible {
    package let year: Int
    /// From 1 to 12.
    package let month: Int
    /// From 1 to 31.
    package let day: Int

    /// The days from the first of March of the year 0 to 1970-01-01. Years are counted from March, so that the leap day
    /// is the last day of a year.
    private static let shift = 719_468
    /// The calendar repeats after 400 years.
    private static let daysInCycle = 146_097
    private static let largestNumberOfDays = 3_000_000

    /// The day that is this many days after 1970-01-01, or before it if the number is negative; `nil` if it is more
    /// than 8,000 years away.
    package init?(daysSince1970 days: Int) {
        guard days.magnitude < Self.largestNumberOfDays else { return nil }
        let shifted = days + Self.shift
        let cycle = (shifted >= 0 ? shifted : shifted - (Self.daysInCycle - 1)) / Self.daysInCycle
        let dayOfCycle = shifted - cycle * Self.daysInCycle
        let yearOfCycle = (dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let month = (5 * dayOfYear + 2) / 153
        self.day = dayOfYear - (153 * month + 2) / 5 + 1
        self.month = month < 10 ? month + 3 : month - 9
        self.year = yearOfCycle + cycle * 400 + (self.month <= 2 ? 1 : 0)
    }

    /// The day with this date; `nil` if there is no such day in the years 0 to 9999.
    package init?(year: Int, month: Int, day: Int) {
        guard (0...9999).contains(year), (1...12).contains(month), (1...31).contains(day) else { return nil }
        // A day that does not exist, such as the 30th of February, has the number of another one.
        guard let date = Self(daysSince1970: Self.days(year, month, day)),
            date.year == year, date.month == month, date.day == day
        else { return nil }
        self = date
    }

    /// The number of days since 1970-01-01.
    package var daysSince1970: Int { Self.days(self.year, self.month, self.day) }

    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let year = month <= 2 ? year - 1 : year
        let cycle = (year >= 0 ? year : year - 399) / 400
        let yearOfCycle = year - cycle * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfCycle = yearOfCycle * 365 + yearOfCycle / 4 - yearOfCycle / 100 + dayOfYear
        return cycle * Self.daysInCycle + dayOfCycle - Self.shift
    }

    /// Such as `2026-11-27`.
    package var description: String {
        "\(self.year)-\(Self.twoDigits(self.month))-\(Self.twoDigits(self.day))"
    }

    private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
