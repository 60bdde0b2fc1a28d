import CurlewCore
import Testing

@Suite("Life of a client's connection")
struct ClientConnectionLifeTests {
    private var life = ClientConnectionLife(
        keepAlive: KeepAlive(interval: 100, responseTimeout: .seconds(10), now: .start))

    private func at(_ seconds: Int) -> Timestamp { .start + .seconds(seconds) }

    /// Connects, receives CONNACK and sends a message of 1,000 bytes at the start.
    private mutating func connect() {
        self.life.received(at: .start)
        self.life.accepted(serverKeepAlive: nil)
        self.life.sent(1000, at: .start)
    }

    @Test("CONNACK ends the handshake")
    mutating func accepted() {
        #expect(self.life.phase == .handshake && self.life.isOpen)
        self.life.accepted(serverKeepAlive: nil)
        #expect(self.life.phase == .connected && self.life.isOpen)
    }

    @Test("The server's keep alive replaces a longer one")
    mutating func serverKeepAlive() {
        self.life.accepted(serverKeepAlive: 10)
        #expect(self.life.deadline == self.at(9))
    }

    @Test("An accepted connection that has ended stays ended")
    mutating func acceptedTooLate() {
        #expect(self.life.finished() == .leave)
        self.life.accepted(serverKeepAlive: nil)
        #expect(self.life.phase == .closing && !self.life.isOpen)
        #expect(self.life.deadline == nil)
    }

    // MARK: Reading

    @Test("The first reason stops reading, and the end of the last one starts it")
    mutating func pauses() {
        #expect(self.life.pause(.answers) == .stopReading)
        #expect(self.life.pause(.consumer) == .none)
        #expect(self.life.pause(.answers) == .none)
        #expect(self.life.resume(.answers) == .none)
        #expect(self.life.resume(.answers) == .none)
        #expect(self.life.resume(.consumer) == .startReading)
        #expect(self.life.resume(.consumer) == .none)
    }

    // MARK: Keep alive

    @Test("A ping is sent after silence, and a server that does not answer it is dead")
    mutating func silence() {
        self.connect()
        #expect(self.life.deadlineReached(unsent: 0, at: self.at(94)) == .none)
        #expect(self.life.deadlineReached(unsent: 0, at: self.at(95)) == .sendPing)
        #expect(self.life.deadlineReached(unsent: 0, at: self.at(105)) == .serverIsDead)
    }

    @Test("During the handshake and after the end, no ping is sent")
    mutating func noPing() {
        #expect(self.life.deadlineReached(unsent: 0, at: self.at(200)) == .none)
        self.connect()
        _ = self.life.finished()
        #expect(self.life.deadlineReached(unsent: 0, at: self.at(400)) == .none)
    }

    @Test("A server whose answers are not read because of a slow consumer is not dead")
    mutating func slowConsumer() {
        self.connect()
        _ = self.life.pause(.consumer)
        #expect(self.life.deadlineReached(unsent: 0, at: self.at(95)) == .sendPing)
        #expect(self.life.deadlineReached(unsent: 0, at: self.at(150)) == .none)
        #expect(self.life.deadlineReached(unsent: 0, at: self.at(190)) == .sendPing)
    }

    @Test("A ping behind a large message is given time as long as the server accepts bytes")
    mutating func waitingPing() {
        self.connect()
        #expect(self.life.deadlineReached(unsent: 900, at: self.at(95)) == .sendPing)
        self.life.sent(2, at: self.at(95))
        #expect(self.life.deadlineReached(unsent: 500, at: self.at(105)) == .none)
        #expect(self.life.deadlineReached(unsent: 400, at: self.at(114)) == .none)
        #expect(self.life.deadlineReached(unsent: 400, at: self.at(124)) == .serverIsDead)
    }

    @Test("A ping that has left behind a large message must be answered in time")
    mutating func waitingPingLeft() {
        self.connect()
        #expect(self.life.deadlineReached(unsent: 900, at: self.at(95)) == .sendPing)
        self.life.sent(2, at: self.at(95))
        #expect(self.life.deadlineReached(unsent: 0, at: self.at(104)) == .none)
        #expect(self.life.deadlineReached(unsent: 0, at: self.at(114)) == .serverIsDead)
    }

    // MARK: The end

    @Test("A connection that ends is left once")
    mutating func finished() {
        self.connect()
        #expect(self.life.finished() == .leave)
        #expect(self.life.finished() == .again)
        #expect(self.life.linkClosed() == .expected)
        #expect(self.life.linkClosed() == .again)
        #expect(self.life.phase == .closed)
    }

    @Test("A connection that is not read because of its consumer is read again at its end")
    mutating func finishedWhilePaused() {
        self.connect()
        _ = self.life.pause(.consumer)
        #expect(self.life.finished() == .leaveAndRead)
    }

    @Test("A link that closes unexpectedly is a lost connection")
    mutating func lost() {
        self.connect()
        #expect(self.life.linkClosed() == .lost)
        #expect(self.life.finished() == .again)
        #expect(self.life.linkClosed() == .again)
    }
}
