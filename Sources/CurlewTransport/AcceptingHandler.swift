import CurlewCore
import NIOCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// What a listener reports to its owner about accepting.
package enum AcceptEvent: Sendable {
    /// No connection can be accepted at the moment; the error gives the reason and a remedy. Connections wait in the
    /// kernel's queue.
    case paused(TransportError)
    /// Accepting has worked again for a while.
    case resumed
}

/// The handler of a listening socket: pauses when accepting fails for lack of resources. Without the pause the socket
/// stays readable, so that the event loop retries in a busy loop.
final class AcceptingHandler: ChannelInboundHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel

    private var pause = AcceptPause()
    private var isResting = false
    private let clock: MonotonicClock
    private let report: @Sendable (AcceptEvent) -> Void

    init(clock: MonotonicClock, report: @escaping @Sendable (AcceptEvent) -> Void) {
        self.clock = clock
        self.report = report
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if self.pause.accepted(now: self.clock.now()) == .recovered { self.report(.resumed) }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Other errors concern one connection, such as ECONNABORTED: the client left before it was accepted.
        guard let shortage = TransportError(acceptingFailedWith: error) else { return }
        switch self.pause.failed(now: self.clock.now()) {
        case .begins(let rest):
            self.report(.paused(shortage))
            self.rest(for: rest, context)
        case .goesOn(let rest): self.rest(for: rest, context)
        }
    }

    private func rest(for duration: Duration, _ context: ChannelHandlerContext) {
        guard !self.isResting else { return }
        self.isResting = true
        self.setAccepting(false, context.channel)
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        let channel = context.channel
        context.eventLoop.scheduleTask(in: TimeAmount(duration)) {
            handler.value.isResting = false
            handler.value.setAccepting(true, channel)
        }
    }

    private func setAccepting(_ isOn: Bool, _ channel: any Channel) {
        // Setting an option fails only if the channel is closed.
        try? channel.syncOptions?.setOption(.autoRead, value: isOn)
    }
}

@available(*, unavailable)
extension AcceptingHandler: Sendable {}

extension TransportError {
    /// Explains why no connection could be accepted; `nil` if the reason is not a lack of resources.
    init?(acceptingFailedWith error: any Error) {
        guard let error = error as? IOError, let lack = ResourceShortage(errno: error.errnoCode) else { return nil }
        self.init(.outOfResources, "No connection can be accepted: \(lack.explanation).", cause: error)
    }
}

/// The resource that the process or the machine lacks for another socket.
enum ResourceShortage {
    case descriptorsOfProcess, descriptorsOfMachine, memory

    init?(errno: CInt) {
        switch errno {
        case EMFILE: self = .descriptorsOfProcess
        case ENFILE: self = .descriptorsOfMachine
        case ENOBUFS, ENOMEM: self = .memory
        default: return nil
        }
    }

    /// The problem and the remedy, as a part of a sentence.
    var explanation: String {
        switch self {
        case .descriptorsOfProcess:
            "this process cannot open more files or connections; raise its limit ('ulimit -n')"
        case .descriptorsOfMachine: "the machine cannot open more files or connections; raise fs.file-max"
        case .memory: "the machine has no memory left for another connection"
        }
    }
}
