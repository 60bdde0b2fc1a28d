import Testing

@testable import CurlewCore

@Suite("Client life cycle")
struct ClientLifecycleTests {
    private var life = ClientLifecycle()

    @Test("The first call of connect() begins connecting, further calls join it")
    mutating func connecting() {
        #expect(self.life.status == .disconnected)
        #expect(self.life.connectCalled() == .begin)
        #expect(self.life.connectCalled() == .join)
        #expect(self.life.status == .connecting)
        #expect(self.life.accepted() == false)
        #expect(self.life.status == .connected)
        #expect(self.life.connectCallEnded(isCancelled: false) == .none)
    }

    @Test("A client reconnects after a lost connection")
    mutating func reconnecting() {
        _ = self.life.connectCalled()
        _ = self.life.accepted()
        self.life.lost()
        #expect(self.life.status == .reconnecting)
        #expect(self.life.accepted() == true)
        #expect(self.life.status == .connected)
    }

    @Test(
        "When the last call of connect() is cancelled before a connection, the attempt stops and can be repeated"
    )
    mutating func cancelled() {
        for _ in 1...2 { _ = self.life.connectCalled() }
        #expect(self.life.connectCallEnded(isCancelled: true) == .none)
        #expect(self.life.connectCallEnded(isCancelled: true) == .stop)
        #expect(self.life.supervisionEnded(isFailure: false) == .mayBeRepeated)
        #expect(!self.life.isStopped && self.life.status == .disconnected)
        #expect(self.life.connectCalled() == .begin)
    }

    @Test("An established connection stays even if nobody waits for it any more")
    mutating func cancelledLate() {
        _ = self.life.connectCalled()
        _ = self.life.accepted()
        #expect(self.life.connectCallEnded(isCancelled: true) == .none)
    }

    @Test("A failed first connection leaves waiting calls alone; a later failure ends them")
    mutating func failures() {
        _ = self.life.connectCalled()
        #expect(self.life.supervisionEnded(isFailure: true) == .mayBeRepeated)
        _ = self.life.connectCalled()
        _ = self.life.accepted()
        self.life.lost()
        #expect(self.life.supervisionEnded(isFailure: true) == .final)
        #expect(self.life.isStopped && !self.life.hasConnected)
    }

    @Test("disconnect() drains, refuses connect() meanwhile, and then stops the client")
    mutating func disconnecting() {
        _ = self.life.connectCalled()
        _ = self.life.accepted()
        #expect(self.life.disconnectCalled() == .drain)
        #expect(self.life.status == .disconnecting)
        #expect(self.life.connectCalled() == .refuse)
        #expect(self.life.disconnectCalled() == .drain)
        #expect(self.life.supervisionEnded(isFailure: false) == .final)
        #expect(self.life.isStopped)
        #expect(self.life.connectCalled() == .begin)
        #expect(!self.life.isStopped)
    }

    @Test("disconnect() on an idle client ends calls that wait for a connection")
    mutating func disconnectingIdle() {
        #expect(self.life.disconnectCalled() == .end)
        #expect(self.life.isStopped)
        // After that, the next connection counts as the first again.
        _ = self.life.connectCalled()
        #expect(self.life.accepted() == false)
    }
}
