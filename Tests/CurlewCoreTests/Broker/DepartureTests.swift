import CurlewCore
import Testing

@Suite("Departure of a session's connection")
struct DepartureTests {
    @Test("A session that expires with its connection ends at once, and publishes its will itself")
    func atDisconnect() {
        let departure = Departure(expiry: .atDisconnect, willDelay: .seconds(5))
        #expect(departure.end == .now)
        #expect(departure.will == .none)
    }

    @Test("A kept session without a will ends later, or never")
    func withoutWill() {
        #expect(Departure(expiry: .after(seconds: 10), willDelay: nil).end == .after(.seconds(10)))
        #expect(Departure(expiry: .never, willDelay: nil).end == .never)
        #expect(Departure(expiry: .never, willDelay: nil).will == .none)
    }

    @Test("A will of a kept session is published after its delay")
    func will() {
        #expect(Departure(expiry: .never, willDelay: .zero).will == .now)
        #expect(Departure(expiry: .after(seconds: 10), willDelay: .seconds(5)).will == .after(.seconds(5)))
    }

    @Test("After a restart, the time that the broker was away counts")
    func elapsed() {
        let departure = Departure(expiry: .after(seconds: 10), willDelay: .seconds(5), elapsed: .seconds(7))
        #expect(departure.will == .now)
        #expect(departure.end == .after(.seconds(3)))
        let late = Departure(expiry: .after(seconds: 10), willDelay: .seconds(5), elapsed: .seconds(10))
        #expect(late.will == .none)
        #expect(late.end == .now)
    }
}
