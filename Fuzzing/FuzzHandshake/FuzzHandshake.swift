import LibFuzzer
import NIOCore

/// Sends any bytes to what reads them before MQTT does: the handshakes of WebSocket and of proxies, and the frames of a
/// WebSocket. Nothing may trap, hang, hold too much or answer too much; nothing may be delivered after an end; and the
/// result must not depend on how the bytes are cut into reads.
@main
enum FuzzHandshake {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = LLVMFuzzerRunDriver(&count, &arguments, testOneInput)
    }

    /// The first byte of the input selects what is tested, the second its settings, and the third how the rest is cut.
    static func run(_ input: UnsafeRawBufferPointer) {
        guard input.count >= 3 else { return }
        let (choice, settings, cutting) = (input[0], input[1], Cutting(input[2]))
        let bytes = ByteBuffer(bytes: input.dropFirst(3))
        switch choice % 6 {
        case 0: self.compare(ListenerWebSocket(settings), bytes, cutting)
        case 1: self.compare(ClientWebSocket(settings), bytes, cutting)
        case 2: self.compare(HTTPProxyAnswers(settings), bytes, cutting)
        case 3: self.compare(SOCKSAnswers(settings), bytes, cutting)
        case 4: self.compare(ProxyHeaders(settings), bytes, cutting)
        default: RoundTrip.run(bytes, settings, cutting)
        }
    }

    /// Runs the same bytes in one read and in many.
    private static func compare(_ role: some Role, _ bytes: ByteBuffer, _ cutting: Cutting) {
        let whole = Conversation(role).run(bytes, .whole)
        let cut = Conversation(role).run(bytes, cutting)
        expect(whole.result == cut.result, "in one read: \(whole.result)\nin many reads: \(cut.result)")
        // One pong answers all pings of a read.
        expect(cut.pongs.contains(inOrder: whole.pongs), "a ping was answered only when it came with others")
    }
}

/// Ends the run if a condition that must hold does not.
func expect(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
}

extension Array where Element: Equatable {
    /// Whether it contains the elements of another array in their order, perhaps with others between them.
    func contains(inOrder others: Self) -> Bool {
        var rest = self[...]
        return others.allSatisfy { other in
            guard let index = rest.firstIndex(of: other) else { return false }
            rest = rest[(index + 1)...]
            return true
        }
    }
}

/// libFuzzer's own main, which is linked but not used, refers to this name.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzHandshake.run(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}
