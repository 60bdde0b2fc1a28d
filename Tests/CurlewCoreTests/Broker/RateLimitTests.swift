import CurlewCore
import Testing

@Suite("Rate limit")
struct RateLimitTests {
    @Test("A burst passes at once; anything beyond it waits")
    func burst() {
        var limit = RateLimit(perSecond: 10, burst: 5, now: .start)
        for _ in 1...5 { #expect(limit.take(1, now: .start) == .zero) }
        #expect(limit.take(1, now: .start) == .milliseconds(100))
        #expect(limit.take(1, now: .start + .milliseconds(200)) == .zero)
        #expect(limit.take(1, now: .start + .seconds(60)) == .zero)
    }

    @Test("A clock that goes back and very large amounts are handled")
    func extremes() {
        var limit = RateLimit(perSecond: 1, burst: 1, now: .start + .seconds(10))
        #expect(limit.take(.max, now: .start) > .zero)
        #expect(limit.take(.max, now: Timestamp(nanoseconds: .max)) > .zero)
    }
}
