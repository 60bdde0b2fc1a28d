import CurlewCore
import Testing

@Suite("Dates")
struct CivilDateTests {
    @Test(
        "A number of days is the same day as its date, in both directions",
        arguments: [
            (0, 1970, 1, 1), (-1, 1969, 12, 31), (58, 1970, 2, 28), (59, 1970, 3, 1), (364, 1970, 12, 31),
            (365, 1971, 1, 1), (11_015, 2000, 2, 28), (11_016, 2000, 2, 29), (11_017, 2000, 3, 1),
            (16_677, 2015, 8, 30), (19_781, 2024, 2, 28), (19_782, 2024, 2, 29), (20_088, 2024, 12, 31),
            (47_540, 2100, 2, 28), (47_541, 2100, 3, 1), (2_932_896, 9999, 12, 31), (-719_528, 0, 1, 1),
        ])
    func days(days: Int, year: Int, month: Int, day: Int) throws {
        let date = try #require(CivilDate(daysSince1970: days))
        #expect([date.year, date.month, date.day] == [year, month, day])
        #expect(CivilDate(year: year, month: month, day: day)?.daysSince1970 == days)
    }

    @Test("Each of 400 years has the days that the rules of the calendar give it")
    func cycle() {
        var days = CivilDate(year: 1900, month: 1, day: 1)?.daysSince1970 ?? 0
        for year in 1900..<2300 {
            let isLeapYear = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let lengths = [31, isLeapYear ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            for (month, length) in zip(1..., lengths) {
                for day in 1...length {
                    let date = CivilDate(daysSince1970: days)
                    #expect(date == CivilDate(year: year, month: month, day: day) && date?.daysSince1970 == days)
                    days += 1
                }
                #expect(CivilDate(year: year, month: month, day: length + 1) == nil)
            }
        }
        #expect(days == CivilDate(year: 2300, month: 1, day: 1)?.daysSince1970)
    }

    @Test("A date that does not exist, or is too far away, is refused")
    func refused() {
        for (year, month, day) in [(2023, 2, 29), (2100, 2, 29), (2024, 4, 31), (2024, 0, 1), (2024, 13, 1)] {
            #expect(CivilDate(year: year, month: month, day: day) == nil)
        }
        #expect(CivilDate(year: 2024, month: 1, day: 0) == nil && CivilDate(year: 10_000, month: 1, day: 1) == nil)
        #expect(CivilDate(year: -1, month: 1, day: 1) == nil && CivilDate(year: .max, month: 1, day: 1) == nil)
        #expect(CivilDate(daysSince1970: .max) == nil && CivilDate(daysSince1970: .min) == nil)
    }
}
