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
            guard pace.maySend(at: now) else { continue }
            pace.sent(at: now)
            sent.append(now)
        }
        #expect(sent.count == 15)
        for (first, fourth) in zip(sent, sent.dropFirst(3)) { #expect(fourth >= first + .seconds(1)) }
    }

    @Test("The time to wait is told once until it is over")
    func wait() {
        var pace = PublishPace(maximum: 1)
        #expect(pace.maySend(at: .start) && pace.takeWait() == nil)
        pace.sent(at: .start)
        #expect(!pace.maySend(at: .start + .milliseconds(400)))
        #expect(pace.takeWait() == .start + .seconds(1))
        #expect(!pace.maySend(at: .start + .milliseconds(500)) && pace.takeWait() == nil)
        pace.waitIsOver()
        #expect(pace.maySend(at: .start + .seconds(1)) && pace.takeWait() == nil)
    }

    @Test("Above the rate, messages of every QoS wait in order and are sent when they may be", arguments: QoS.allCases)
    func session(qos: QoS) throws {
        var fixture = SessionFixture.connected { $0.publishesPerSecond = 2 }
        for number in 1...5 { _ = try fixture.publish("\(number)", qos) }
        #expect(fixture.publishes() == ["1", "2"])
        try #expect(#require(fixture.endPaceWait()) == .start + .seconds(1))
        #expect(fixture.publishes() == ["3", "4"])
        try #expect(#require(fixture.endPaceWait()) == .start + .seconds(2))
        #expect(fixture.publishes() == ["5"])
        #expect(fixture.endPaceWait() == nil)
    }

    @Test("Messages that are sent again count, too")
    func resends() throws {
        var fixture = SessionFixture.connected { $0.publishesPerSecond = 2 }
        for number in 1...2 { _ = try fixture.publish("\(number)") }
        #expect(fixture.publishes() == ["1", "2"])
        fixture.reconnect()
        #expect(fixture.publishes() == [])
        #expect(fixture.endPaceWait() != nil)
        #expect(fixture.publishes() == ["1", "2"])
    }
}

extension SessionFixture {
    /// The payloads of the PUBLISH packets written since the last call.
    fileprivate mutating func publishes() -> [String] {
        self.written().compactMap { if case .publish(let packet) = $0 { String(buffer: packet.payload) } else { nil } }
    }
}
