import Testing

@testable import CurlewTransport

@Suite("Phases of connecting")
struct ConnectPhasesTests {
    @Test("A direct connection opens the link as soon as a socket is connected")
    func direct() {
        var phases = ConnectPhases(usesProxy: false)
        let starts = phases.started()
        #expect(starts)
        let next = phases.connected()
        #expect(next == .open)
        #expect(phases.phase == .opening)
    }

    @Test("Through a proxy, the link opens after the proxy has connected to the destination")
    func proxy() {
        var phases = ConnectPhases(usesProxy: true)
        let starts = phases.started()
        #expect(starts)
        let next = phases.connected()
        #expect(next == .askProxy)
        let opens = phases.proxyConnected()
        #expect(opens)
        #expect(phases.phase == .opening)
    }

    @Test("A second socket that connects is closed")
    func secondSocket() {
        var phases = ConnectPhases(usesProxy: false)
        _ = phases.started()
        _ = phases.connected()
        let next = phases.connected()
        #expect(next == .close)
    }

    @Test("An attempt that was cancelled before it began does not connect")
    func cancelledBefore() {
        var phases = ConnectPhases(usesProxy: false)
        let ends = phases.ended()
        #expect(ends)
        let starts = phases.started()
        #expect(!starts)
    }

    @Test("Whatever comes after the end changes nothing", arguments: [false, true])
    func afterTheEnd(usesProxy: Bool) {
        var phases = ConnectPhases(usesProxy: usesProxy)
        _ = phases.started()
        let (ends, endsAgain) = (phases.ended(), phases.ended())
        #expect(ends)
        #expect(!endsAgain)
        let next = phases.connected()
        #expect(next == .close)
        let opens = phases.proxyConnected()
        #expect(!opens)
        #expect(phases.phase == .over)
    }
}
