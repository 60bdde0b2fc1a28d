import Foundation

/// The weather of one day.
struct Day {
    let date: String
    /// In millimetres.
    let precipitation: Double
    /// The day's maximum, in degrees Celsius.
    let temperature: Double
    /// The day's mean, in metres per second.
    let wind: Double
}

/// A series of days, oldest first.
enum Weather {
    /// Four years in Seattle, from a file in this package; `Weather/SOURCE.md` describes its source.
    static func seattle() throws -> [Day] {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Weather/seattle.csv")
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").dropFirst()
        return try lines.map { line in
            let columns = line.split(separator: ",")
            let numbers = columns.dropFirst().compactMap { Double($0) }
            guard columns.count == 5, numbers.count == 4 else { throw Unreadable(line: String(line)) }
            return Day(date: String(columns[0]), precipitation: numbers[0], temperature: numbers[1], wind: numbers[3])
        }
    }

    struct Unreadable: Error {
        let line: String
    }
}
