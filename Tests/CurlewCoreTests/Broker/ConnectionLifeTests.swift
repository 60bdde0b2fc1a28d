import CurlewCore
import Testing

@Suite("Life cycle of a broker's connection")
struct ConnectionLifeTests {
    private var life = ConnectionLife(connectTimeout: .seconds(10), packetTimeout: .seconds(30), now: .start)

    private func at(_ seconds: Double) -> Timestamp { .start + .seconds(seconds) }

    private mutating func connect(keepAlive: UInt16 = 0, at seconds: Double = 0) {
        self.life.receivedConnect()
        self.life.started(keepAlive: keepAlive, now: self.at(seconds))
    }

    private func timeOut(at seconds: Double, answersWaitForStore: Bool = false) -> ConnectionLife.TimeOut? {
        self.life.timeOut(answersWaitForStore: answersWaitForStore, now: self.at(seconds))
    }

    // MARK: Connecting

    @Test("A client connects in one step")
    mutating func oneStep() {
        #expect(self.life.phase == .opening)
        self.life.receivedConnect()
        #expect(self.life.phase == .connecting)
        self.life.started(keepAlive: 0, now: .start)
        #expect(self.life.phase == .connected)
    }

    @Test("Reading continues while a client is challenged, and pauses after its answer")
    mutating func challenge() {
        self.life.receivedConnect()
        #expect(self.life.challenged() == .read)
        #expect(self.life.phase == .challenged)
        #expect(self.life.answered() == .pause)
        #expect(self.life.phase == .connecting)
    }

    @Test("A connected client that reauthenticates stays connected")
    mutating func reauthentication() {
        self.connect()
        #expect(self.life.challenged() == .none)
        #expect(self.life.answered() == .none)
        #expect(self.life.phase == .connected)
    }

    @Test("A client that disconnects during the recheck of its rights gives its session back")
    mutating func goneWhileChecked() {
        self.life.receivedConnect()
        self.life.recheckBegan()
        #expect(self.life.linkClosed(hasMuchToDo: false) == .end)
        #expect(self.life.ended() == .none)
        #expect(self.life.rechecked() == .giveBack)
        #expect(self.life.ended() == .forget)
    }

    @Test("A client starts after the recheck of its rights, unless it was refused meanwhile")
    mutating func rechecked() {
        self.life.receivedConnect()
        self.life.recheckBegan()
        var refused = self.life
        #expect(self.life.rechecked() == .start)
        #expect(refused.closed() == .leave)
        #expect(refused.rechecked() == .giveBack)
    }

    // MARK: Deadlines

    @Test("A client must connect in time")
    mutating func connectTimeout() {
        #expect(self.timeOut(at: 10) == nil)
        #expect(self.timeOut(at: 10.1) == .connect)
        self.life.receivedConnect()
        #expect(self.timeOut(at: 10.1) == .connect)
        self.life.started(keepAlive: 0, now: self.at(10))
        #expect(self.timeOut(at: 1000) == nil)
    }

    @Test("A client may be silent for one and a half times its keep alive")
    mutating func keepAlive() {
        self.connect(keepAlive: 10, at: 1)
        #expect(self.timeOut(at: 16) == nil)
        #expect(self.timeOut(at: 16.1) == .keepAlive)
        self.life.reading.received(now: self.at(2))
        #expect(self.timeOut(at: 16.1) == nil)
    }

    @Test(
        "Time in which the broker does not read a client does not count as silence",
        arguments: [.store, .receivers] as [Pauses])
    mutating func notRead(_ reason: Pauses) {
        self.connect(keepAlive: 10)
        #expect(self.life.reading.pause(for: reason) == .stop)
        #expect(self.timeOut(at: 100) == nil)
        #expect(self.life.reading.resume(after: reason, now: self.at(100)) == .start)
        #expect(self.timeOut(at: 115) == nil)
        #expect(self.timeOut(at: 115.1) == .keepAlive)
    }

    @Test("A client that does not read its answers counts as silent, unless the answers wait for the store")
    mutating func answers() {
        self.connect(keepAlive: 10)
        _ = self.life.reading.pause(for: .answers)
        #expect(self.timeOut(at: 16, answersWaitForStore: true) == nil)
        #expect(self.timeOut(at: 16) == .keepAlive)
    }

    @Test("A packet must be completed in time while the client is read")
    mutating func packetTimeout() {
        self.connect()
        self.life.partialPacket.received(waiting: 1, hasNewBeginning: true, now: .start)
        #expect(self.timeOut(at: 30) == nil)
        #expect(self.timeOut(at: 31) == .packet)
        _ = self.life.reading.pause(for: .rate)
        #expect(self.timeOut(at: 31) == nil)
    }

    @Test("A closed connection misses no deadline")
    mutating func noDeadline() {
        #expect(self.life.closed() == .leave)
        #expect(self.timeOut(at: 100) == nil)
    }

    // MARK: The end

    @Test("A client leaves once")
    mutating func leave() {
        self.connect()
        #expect(self.life.closed() == .leave)
        #expect(self.life.closed() == .again)
    }

    @Test("Nothing is written once the link closes")
    mutating func writing() {
        #expect(self.life.canWrite)
        self.life.linkCloses()
        #expect(!self.life.canWrite)
        _ = self.life.linkClosed(hasMuchToDo: false)
        self.life.linkCloses()
        #expect(self.life.isLinkClosed)
    }

    @Test("If a client's link is lost with much unprocessed data, that is processed first")
    mutating func linkLost() {
        self.connect()
        var other = self.life
        #expect(self.life.linkClosed(hasMuchToDo: true) == .processFirst)
        #expect(other.linkClosed(hasMuchToDo: false) == .end)
    }

    @Test("Data whose processing is already scheduled is not processed twice when the link is lost")
    mutating func linkLostMeanwhile() {
        self.connect()
        _ = self.life.reading.pause(for: .turn)
        #expect(self.life.linkClosed(hasMuchToDo: true) == .wait)
    }

    @Test("A connection is forgotten only once")
    mutating func forget() {
        _ = self.life.linkClosed(hasMuchToDo: false)
        #expect(self.life.ended() == .forget)
        #expect(self.life.isForgotten)
        #expect(self.life.ended() == .none)
    }

    @Test("Messages are not held while the connection is settled, nor after the link is lost")
    mutating func settling() {
        self.connect()
        self.life.settle()
        #expect(!self.life.canHoldMessages)
        #expect(self.life.processed() == .settled)
        #expect(self.life.canHoldMessages)
        #expect(self.life.processed() == .goOn)
        _ = self.life.linkClosed(hasMuchToDo: true)
        #expect(self.life.processed() == .goOn)
        #expect(!self.life.canHoldMessages)
    }

    // MARK: Reading

    typealias Pauses = ClientReading.Pauses

    @Test("Reading resumes when no reason to pause is left, however often each was given")
    mutating func pauses() {
        #expect(self.life.reading.pause(for: .store) == .stop)
        #expect(self.life.reading.pause(for: .turn) == .none)
        #expect(self.life.reading.pause(for: .turn) == .none)
        #expect(self.life.reading.resume(after: .turn, now: .start) == .none)
        #expect(self.life.reading.resume(after: .turn, now: .start) == .none)
        #expect(self.life.reading.resume(after: .store, now: .start) == .start)
        #expect(self.life.reading.resume(after: .store, now: .start) == .none)
    }

    @Test("A client above its rate limits pauses until all of them have passed")
    mutating func rate() {
        self.life.reading.received(now: self.at(1))
        #expect(self.life.reading.exceededRate(for: .seconds(1)) == true)
        _ = self.life.reading.pause(for: .rate)
        #expect(self.life.reading.exceededRate(for: .seconds(3)) == false)
        #expect(self.life.reading.rateRest(now: self.at(2)) == .seconds(2))
        #expect(self.life.reading.rateRest(now: self.at(4)) == nil)
    }
}
