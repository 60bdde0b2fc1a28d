import NIOCore
import Testing

@testable import CurlewCore

@Suite("Pace of publishes")
struct PublishPaceTests {
    @Test("No second has more packets than permitted, wherever it begins")
    func window() {
        var pace = PublishPace(maximum: 3)
        var sent: [Timestamp] = []
        for milliseconds in stride(from: 0, to: 5000, by: 50) {
            let now = Timestamp.start + .milliseconds(milliseconds)
            guard pace.ready(at: now) == .send else { continue }
            pace.sent(at: now)
            sent.append(now)
        }
        #expect(sent.count == 15)
        for (first, fourth) in zip(sent, sent.dropFirst(3)) { #expect(fourth >= first + .seconds(1)) }
    }

    @Test("The time to wait is told once until it is over")
    func wait() {
        var pace = PublishPace(maximum: 1)
        pace.sent(at: .start)
        var answers: [PublishPace.Permission] = []
        var waits: [Timestamp?] = [pace.takeWait()]
        for milliseconds in [400, 500, 1000] {
            answers.append(pace.ready(at: .start + .milliseconds(milliseconds)))
            waits.append(pace.takeWait())
        }
        #expect(answers == [.wait, .wait, .send])
        #expect(waits == [nil, .start + .seconds(1), nil, nil])
        let over = pace.deadlineReached(.start + .seconds(1))
        #expect(over == .send)
        pace.sent(at: .start + .seconds(1))
        _ = pace.ready(at: .start + .seconds(1))
        let next = pace.takeWait()
        #expect(next == .start + .seconds(2))
    }

    @Test("After a reconnection the deadline is told again, and the former one means nothing")
    func reconnection() {
        var pace = PublishPace(maximum: 1)
        pace.sent(at: .start)
        _ = pace.ready(at: .start)
        let former = pace.takeWait()
        pace.connected()
        _ = pace.ready(at: .start + .milliseconds(1))
        let again = pace.takeWait()
        #expect(former == again && again != nil)
        pace.connected()
        let stale = pace.deadlineReached(.start + .seconds(1))
        #expect(stale == .none)
    }

    @Test("Above the rate, messages of every QoS wait in order and are sent when they may be", arguments: QoS.allCases)
    func session(qos: QoS) throws {
        var fixture = SessionFixture.connected { $0.publishesPerSecond = 2 }
        for number in 1...5 { _ = try fixture.publish("\(number)", qos) }
        fixture.expectPublishes("1", "2")
        let first = fixture.endPaceWait()
        #expect(first == .start + .seconds(1))
        fixture.expectPublishes("3", "4")
        let second = fixture.endPaceWait()
        #expect(second == .start + .seconds(2))
        fixture.expectPublishes("5")
        let third = fixture.endPaceWait()
        #expect(third == nil)
    }

    @Test("Messages that are sent again count, too")
    func resends() throws {
        var fixture = SessionFixture.connected { $0.publishesPerSecond = 2 }
        for number in 1...2 { _ = try fixture.publish("\(number)") }
        fixture.expectPublishes("1", "2")
        fixture.reconnect()
        fixture.expectPublishes()
        let deadline = fixture.endPaceWait()
        #expect(deadline == .start + .seconds(1))
        fixture.expectPublishes("1", "2")
    }
}

extension SessionFixture {
    /// Expects PUBLISH packets with these payloads since the last call.
    fileprivate mutating func expectPublishes(_ payloads: String...) {
        let written = self.written().compactMap { packet in
            if case .publish(let packet) = packet { String(buffer: packet.payload) } else { nil }
        }
        #expect(written == payloads)
    }
}
