import CurlewCore

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
        guard year > 0, let date = CivilDate(year: year, month: month, day: day), hour < 24, minute < 60, second <= 60
        else { return nil }
        return Int(clamping: Int64(date.daysSince1970) * 86_400 + Int64(hour * 3600 + minute * 60 + second))
    }

    /// Removes a number from the front.
    private static func number(_ digits: inout ArraySlice<UInt8>, _ count: Int) -> Int {
        let number = digits.prefix(count).reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        digits = digits.dropFirst(count)
        return number
    }
}
