import CurlewCore
import Testing

@Suite("Log throttle")
struct LogThrottleTests {
    @Test("Lines are limited by burst and rate, and those left out are counted")
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
