import CurlewCore
import Testing

@Suite("Lines that peers cause")
struct LogThrottleTests {
    @Test("So many are written at once, so many a second after that, and the others are counted")
    func rate() {
        var throttle = LogThrottle(perSecond: 2, burst: 3, now: .start)
        let atOnce = (0..<10).count { _ in throttle.admits(now: .start) }
        #expect(atOnce == 3)
        #expect(throttle.takeLeftOut() == 7)
        #expect(throttle.takeLeftOut() == 0)
        let later = (0..<10).count { _ in throttle.admits(now: .start + .seconds(1)) }
        #expect(later == 2)
    }
}
