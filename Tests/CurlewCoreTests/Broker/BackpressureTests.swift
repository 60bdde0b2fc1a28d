import CurlewCore
import Testing

private let capacity = Backpressure.Load(messages: 1000, bytes: 1_000_000)

private func load(_ messages: Int, bytes: Int = 0) -> Backpressure.Load {
    Backpressure.Load(messages: messages, bytes: bytes)
}

private func at(_ milliseconds: Int) -> Timestamp { .start + .milliseconds(milliseconds) }

@Suite("Backpressure")
struct BackpressureTests {
    private var pressure = Backpressure(patience: .seconds(1))

    /// Backpressure from a client that had acknowledged enough when the first message began to wait.
    private func progressing() -> Backpressure {
        var pressure = self.pressure
        pressure.took(load(7), capacity: capacity, now: at(0))
        _ = pressure.queued(load(1), capacity: capacity, now: at(0))
        return pressure
    }

    @Test("Publishers wait once a quarter of the queue is used, by number or by bytes")
    func mark() {
        var pressure = self.progressing()
        #expect(pressure.queued(load(249), capacity: capacity, now: at(1)) == nil)
        #expect(pressure.queued(load(250), capacity: capacity, now: at(1)) != nil)
        #expect(pressure.queued(load(1, bytes: 250_000), capacity: capacity, now: at(1)) != nil)
    }

    @Test("A client that has stopped acknowledging delays nobody after its patience has run out")
    func noProgress() {
        var pressure = self.progressing()
        #expect(pressure.queued(load(900), capacity: capacity, now: at(999)) == at(1000))
        #expect(pressure.queued(load(901), capacity: capacity, now: at(1000)) == nil)
        pressure.took(load(7), capacity: capacity, now: at(5000))
        #expect(pressure.queued(load(900), capacity: capacity, now: at(5001)) != nil)
    }

    @Test("Acknowledging less than a minimum within the patience is no progress")
    func tooLittle() {
        var pressure = self.progressing()
        pressure.took(load(6), capacity: capacity, now: at(900))
        #expect(pressure.queued(load(900), capacity: capacity, now: at(1000)) == nil)
        pressure.took(load(1), capacity: capacity, now: at(1001))
        #expect(pressure.queued(load(900), capacity: capacity, now: at(1002)) != nil)
    }

    @Test("Acknowledging many bytes is progress, even in few messages")
    func largeMessages() {
        var pressure = self.pressure
        pressure.took(load(1, bytes: 10_000), capacity: capacity, now: at(0))
        #expect(pressure.queued(load(300), capacity: capacity, now: at(999)) != nil)
    }

    @Test("A client that has not acknowledged anything yet gets a short grace period from its first message")
    func grace() {
        var pressure = self.pressure
        #expect(pressure.queued(load(1), capacity: capacity, now: at(0)) == nil)
        #expect(pressure.queued(load(250), capacity: capacity, now: at(99)) == at(100))
        #expect(pressure.queued(load(251), capacity: capacity, now: at(100)) == nil)
    }

    @Test("A new connection must make its own progress")
    func reconnected() {
        var pressure = self.progressing()
        _ = pressure.queued(load(1), capacity: capacity, now: at(0))
        pressure.connected()
        #expect(pressure.queued(load(1), capacity: capacity, now: at(200)) == nil)
        #expect(pressure.queued(load(900), capacity: capacity, now: at(300)) == nil)
    }

    @Test("Publishers continue below three quarters of the mark, and only as many as there is room for")
    func release() {
        var pressure = self.progressing()
        #expect(pressure.drained(to: load(0)) == 0)
        _ = pressure.queued(load(250), capacity: capacity, now: at(1))
        #expect(pressure.drained(to: load(188)) == 0)
        #expect(pressure.drained(to: load(100)) == 88)
        pressure.released()
        #expect(pressure.drained(to: load(0)) == 0)
    }

    @Test("Only as many publishers of large messages continue as there is room for")
    func releaseByBytes() {
        var pressure = self.progressing()
        _ = pressure.queued(load(5, bytes: 500_000), capacity: capacity, now: at(1))
        #expect(pressure.drained(to: load(4, bytes: 400_000)) == 0)
        #expect(pressure.drained(to: load(1, bytes: 50_000)) == 2)
    }

    @Test("A queue for a single message releases one publisher when it is empty")
    func tinyQueue() {
        let one = Backpressure.Load(messages: 1, bytes: 100)
        var pressure = self.pressure
        #expect(pressure.queued(load(1, bytes: 60), capacity: one, now: at(0)) != nil)
        #expect(pressure.drained(to: load(1, bytes: 60)) == 0)
        #expect(pressure.drained(to: load(0)) == 1)
    }

    @Test("Without patience, nobody waits")
    func off() {
        var pressure = Backpressure(patience: .zero)
        pressure.took(load(1000), capacity: capacity, now: at(0))
        #expect(pressure.queued(load(1000), capacity: capacity, now: at(0)) == nil)
    }
}

@Suite("Publish hold")
struct PublishHoldTests {
    @Test("The publisher continues when the last receiver has drained")
    func released() {
        var hold = PublishHold<Int>()
        #expect(hold.held(by: [1, 2], until: at(5000), longest: .seconds(1), now: at(0)) == .began(until: at(1000)))
        #expect(hold.released(by: 1) == false)
        #expect(hold.isActive)
        #expect(hold.released(by: 2) == true)
        #expect(!hold.isActive)
    }

    @Test("Further receivers do not extend the wait")
    func bound() {
        var hold = PublishHold<Int>()
        _ = hold.held(by: [1], until: at(5000), longest: .seconds(1), now: at(0))
        #expect(hold.held(by: [2], until: at(5000), longest: .seconds(1), now: at(900)) == .again)
        #expect(hold.timeIsUp(now: at(999)) == false)
        #expect(hold.timeIsUp(now: at(1000)) == true)
        #expect(!hold.isActive)
    }

    @Test("A late or unknown release changes nothing")
    func late() {
        var hold = PublishHold<Int>()
        #expect(hold.released(by: 1) == false)
        _ = hold.held(by: [1], until: at(5000), longest: .seconds(1), now: at(0))
        _ = hold.timeIsUp(now: at(1000))
        #expect(hold.released(by: 1) == false)
        #expect(hold.timeIsUp(now: at(2000)) == false)
        #expect(hold.held(by: [2], until: at(3500), longest: .seconds(1), now: at(3000)) == .began(until: at(3500)))
        #expect(hold.released(by: 1) == false)
        #expect(hold.isActive)
    }
}
