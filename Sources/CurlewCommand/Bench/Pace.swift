#if Tools
/// The schedule of a client's messages.
struct Pace {
    private let start = ContinuousClock.now
    private let startOnWall = ProcessUsage.wallNanoseconds
    private let first: Double
    private let interval: Double

    /// - Parameters:
    ///   - perSecond: The rate of all clients together.
    ///   - share: The index of this client. The clients take turns.
    init(perSecond: Double, share: Int, of clients: Int) {
        self.first = Double(share) / perSecond
        self.interval = Double(clients) / perSecond
    }

    private func offset(_ sequence: Int) -> Double { self.first + Double(sequence) * self.interval }

    func instant(of sequence: Int) -> ContinuousClock.Instant { self.start + .seconds(self.offset(sequence)) }

    /// In nanoseconds since 1970.
    func wallTime(of sequence: Int) -> UInt64 { self.startOnWall + UInt64(self.offset(sequence) * 1e9) }

    /// Waits until the scheduled time of a message; returns at once if that has passed.
    func wait(for sequence: Int) async throws(CancellationError) {
        let instant = self.instant(of: sequence)
        guard instant > .now else { return }
        do { try await Task.sleep(until: instant, tolerance: .zero, clock: .continuous) } catch {
            throw CancellationError()
        }
    }
}
#endif
