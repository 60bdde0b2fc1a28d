import NIOCore
import NIOPosix

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The options of sockets that carry links.
enum SocketOptions {
    /// Beyond 256 KiB of unsent bytes a link asks for a pause, and at 64 KiB it goes on.
    ///
    /// The kernel's own buffer is in front of these, and keeps the wire busy while we wait; so these need only bridge the time in
    /// which a suspended publisher wakes up. More would be memory for each peer that has stopped reading.
    static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 64 << 10, high: 256 << 10)

    /// Starts with what an idle connection's packets take, and grows to 64 KiB within six full reads.
    static let receiveBuffers = AdaptiveRecvByteBufferAllocator(minimum: 1 << 10, initial: 1 << 10, maximum: 64 << 10)

    /// One read per round of the event loop: a busy link gets 64 KiB and then the others have their turn. NIO keeps as many buffers
    /// for a channel as it may read at once, so this also leaves an idle link with a single one.
    static let readsPerRound: UInt = 1

    /// A read below this is one of a conversation, not of a stream.
    static let smallRead = 4096

    /// Whether a read of the socket would return bytes, the end of the stream or an error, rather than having to wait.
    static func hasUnreadBytes(_ socket: NIOBSDSocket.Handle) -> Bool {
        var byte: UInt8 = 0
        let count = recv(socket, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count >= 0 || ![EAGAIN, EWOULDBLOCK, EINTR].contains(errno)
    }

    /// Has the kernel acknowledge what was read without waiting for something to send along.
    ///
    /// Many servers leave Nagle's algorithm on (mosquitto does by default): their next small packet waits until the last is
    /// acknowledged, and a kernel that delays acknowledgements makes that 40 ms for each request and reply. Linux forgets the
    /// option after a while, so it is set anew after each small read; elsewhere there is nothing to set.
    static func acknowledgeAtOnce(_ channel: any Channel) {
        #if os(Linux)
        // A channel that refuses is closed.
        try? channel.syncOptions?.setOption(.tcpOption(NIOBSDSocket.Option(rawValue: TCP_QUICKACK)), value: 1)
        #endif
    }
}

extension ClientBootstrap {
    func socketLinkOptions() -> ClientBootstrap {
        self
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.writeBufferWaterMark, value: SocketOptions.waterMark)
            .channelOption(.recvAllocator, value: SocketOptions.receiveBuffers)
            .channelOption(.maxMessagesPerRead, value: SocketOptions.readsPerRound)
    }
}

extension ServerBootstrap {
    func socketLinkOptions() -> ServerBootstrap {
        self
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: SocketOptions.waterMark)
            .childChannelOption(.recvAllocator, value: SocketOptions.receiveBuffers)
            .childChannelOption(.maxMessagesPerRead, value: SocketOptions.readsPerRound)
    }
}
