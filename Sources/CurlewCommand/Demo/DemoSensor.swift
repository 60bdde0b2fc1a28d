#if Tools
/// A simulated sensor, whose value is a slow wave with a smaller, faster one on top.
struct DemoSensor: Sendable, Equatable {
    /// The name of the device.
    let name: String
    let unit: String
    private let lowest: Double
    private let highest: Double
    /// The period of the slow wave, in seconds.
    private let period: Double

    /// The value at a time since the start, rounded to one decimal.
    func value(at time: Duration) -> Double {
        let seconds = time / .seconds(1)
        let share = 0.8 * Self.wave(seconds / self.period) + 0.2 * Self.wave(seconds / self.period * 7.3 + 0.4)
        return ((self.lowest + (self.highest - self.lowest) * share) * 10).rounded() / 10
    }

    /// A smooth wave from 0 to 1 and back for each turn.
    private static func wave(_ turns: Double) -> Double {
        let phase = turns - turns.rounded(.down)
        let height = 1 - (2 * phase - 1).magnitude
        return height * height * (3 - 2 * height)
    }

    /// The sensors for this many devices: one of each kind, then a second of each, and so on.
    static func fleet(_ count: Int) -> [DemoSensor] {
        (0..<count).map { index in
            let kind = Self.kinds[index % Self.kinds.count]
            let round = index / Self.kinds.count + 1
            return DemoSensor(
                name: round == 1 ? kind.name : "\(kind.name)-\(round)", unit: kind.unit, lowest: kind.lowest,
                highest: kind.highest, period: kind.period + Double(round - 1))
        }
    }

    private static let kinds = [
        DemoSensor(name: "thermometer", unit: "°C", lowest: 18, highest: 24, period: 41),
        DemoSensor(name: "barometer", unit: "hPa", lowest: 1004, highest: 1021, period: 67),
        DemoSensor(name: "anemometer", unit: "m/s", lowest: 0.5, highest: 9, period: 23),
        DemoSensor(name: "hygrometer", unit: "%", lowest: 35, highest: 60, period: 53),
        DemoSensor(name: "rain-gauge", unit: "mm/h", lowest: 0, highest: 4, period: 31),
        DemoSensor(name: "light-meter", unit: "lx", lowest: 80, highest: 900, period: 37),
    ]

    private init(name: String, unit: String, lowest: Double, highest: Double, period: Double) {
        self.name = name
        self.unit = unit
        self.lowest = lowest
        self.highest = highest
        self.period = period
    }
}
#endif
