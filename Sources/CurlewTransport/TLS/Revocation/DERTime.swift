/// Points in time in certificates and revocation lists (RFC 5280 section 4.1.2.5).
enum DERTime {
    /// Seconds since 1970; `nil` if the element is not a time, in UTC and with seconds.
    static func seconds(_ element: DERReader.Element) -> Int? {
        var digits = element.content
        guard digits.popLast() == UInt8(ascii: "Z"),
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        let year: Int
        switch (element.tag, digits.count) {
        case (DERReader.Tag.utcTime, 12):
            let short = Self.number(&digits, 2)
            year = short < 50 ? 2000 + short : 1900 + short
        case (DERReader.Tag.generalizedTime, 14): year = Self.number(&digits, 4)
        default: return nil
        }
        let (month, day) = (Self.number(&digits, 2), Self.number(&digits, 2))
        let (hour, minute, second) = (Self.number(&digits, 2), Self.number(&digits, 2), Self.number(&digits, 2))
        guard year > 0, (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60 else {
            return nil
        }
        let days = Self.days(year, month, day)
        return Int(clamping: Int64(days) * 86_400 + Int64(hour * 3600 + minute * 60 + second))
    }

    /// Removes a number from the front.
    private static func number(_ digits: inout ArraySlice<UInt8>, _ count: Int) -> Int {
        let number = digits.prefix(count).reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        digits = digits.dropFirst(count)
        return number
    }

    /// The number of days from 1970-01-01 to a date.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        // Count in years that begin in March, so that the leap day is the last day.
        let years = month > 2 ? year : year - 1
        let monthFromMarch = month > 2 ? month - 3 : month + 9
        let leapDays = years / 4 - years / 100 + years / 400
        return years * 365 + leapDays + (153 * monthFromMarch + 2) / 5 + day - 1 - 719_468
    }
}
