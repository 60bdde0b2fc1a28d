import CurlewCore
import Testing

@Suite("Keep alive")
struct KeepAliveTests {
    private func at(_ seconds: Double) -> Timestamp { Timestamp(elapsed: .milliseconds(Int64(seconds * 1_000))) }

    private func keepAlive(_ interval: UInt16, timeout: Duration = .seconds(10)) -> KeepAlive {
        KeepAlive(interval: interval, responseTimeout: timeout, now: .start)
    }

    @Test(
        "A ping is due before the interval ends [MQTT-3.1.2-22]",
        arguments: [1, 2, 3, 10, 60, 61, 3_600, .max] as [UInt16])
    func dueInTime(interval: UInt16) throws {
        var keepAlive = keepAlive(interval)
        let deadline = try #require(keepAlive.deadline)
        #expect(deadline < .start + .seconds(interval))
        #expect(deadline >= .start + .seconds(interval) * 9 / 10)
        #expect(keepAlive.deadlineReached(at: deadline) == .sendPing)
    }

    @Test("An interval of 0 disables pings")
    func off() {
        var keepAlive = keepAlive(0)
        #expect(keepAlive.deadline == nil)
        #expect(keepAlive.deadlineReached(at: at(100_000)) == .none)
    }

    @Test(
        "The effective interval is the shorter of the client's and the server's; 0 means none [MQTT-3.1.2-23] [MQTT-3.2.2-21]",
        arguments: [(60, 1, 1), (60, 0, 60), (60, .max, 60), (0, 30, 30), (0, 0, 0)] as [(UInt16, UInt16, UInt16)])
    func serverInterval(own: UInt16, server: UInt16, inForce: UInt16) {
        var keepAlive = keepAlive(own)
        keepAlive.serverKeepAlive(server)
        #expect(keepAlive.interval == inForce)
        #expect((keepAlive.deadline == nil) == (inForce == 0))
    }

    @Test("Traffic in both directions postpones the ping")
    func traffic() {
        var keepAlive = keepAlive(10)
        keepAlive.sent(at: at(5))
        keepAlive.received(at: at(6))
        #expect(keepAlive.deadlineReached(at: at(9)) == .none)
        #expect(keepAlive.deadline == at(14))
        #expect(keepAlive.deadlineReached(at: at(14)) == .sendPing)
    }

    @Test("A client that only sends pings too, to find out whether the server is alive")
    func onlySending() {
        var keepAlive = keepAlive(10)
        keepAlive.sent(at: at(8))
        #expect(keepAlive.deadlineReached(at: at(9)) == .sendPing)
        keepAlive.sent(at: at(18))
        #expect(keepAlive.deadlineReached(at: at(19)) == .serverIsDead)
    }

    @Test("A client that only receives pings, since the server counts only what the client sends [MQTT-3.1.2-22]")
    func onlyReceiving() {
        var keepAlive = keepAlive(10)
        for second in 1...8 { keepAlive.received(at: at(Double(second))) }
        #expect(keepAlive.deadlineReached(at: at(9)) == .sendPing)
    }

    @Test("An answered ping starts a new interval")
    func answered() {
        var keepAlive = keepAlive(10)
        #expect(keepAlive.deadlineReached(at: at(9)) == .sendPing)
        keepAlive.received(at: at(9.1))
        #expect(keepAlive.deadline == at(18))
        #expect(keepAlive.deadlineReached(at: at(18)) == .sendPing)
    }

    @Test("A server that does not answer a ping is dead after the response timeout, or the interval if that is shorter")
    func dead() {
        var short = keepAlive(60, timeout: .seconds(4))
        #expect(short.deadlineReached(at: at(55)) == .sendPing)
        #expect(short.deadline == at(59))
        #expect(short.deadlineReached(at: at(58.9)) == .none)
        #expect(short.deadlineReached(at: at(59)) == .serverIsDead)

        var second = keepAlive(1)
        #expect(second.deadlineReached(at: at(0.9)) == .sendPing)
        #expect(second.deadlineReached(at: at(1.8)) == .sendPing)
        #expect(second.deadlineReached(at: at(1.9)) == .serverIsDead)
    }

    @Test("A ping that waits behind other data does not time out")
    func waiting() {
        var keepAlive = keepAlive(10)
        #expect(keepAlive.deadlineReached(at: at(9)) == .sendPing)
        keepAlive.pingIsWaiting(at: at(18))
        #expect(keepAlive.deadlineReached(at: at(18)) == .sendPing)
        keepAlive.pingIsWaiting(at: at(27))
        #expect(keepAlive.deadlineReached(at: at(36)) == .sendPing)
        #expect(keepAlive.deadlineReached(at: at(37)) == .serverIsDead)
    }

    @Test("Without a ping, pingIsWaiting has no effect")
    func notWaiting() {
        var keepAlive = keepAlive(10)
        keepAlive.pingIsWaiting(at: at(5))
        #expect(keepAlive.deadline == at(9))
    }

    @Test("After the machine has slept for long, a ping is sent first")
    func asleep() {
        var keepAlive = keepAlive(10)
        #expect(keepAlive.deadlineReached(at: at(100_000)) == .sendPing)
        #expect(keepAlive.deadline == at(100_009))
    }
}
