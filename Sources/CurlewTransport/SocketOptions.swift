import NIOCore
import NIOPosix

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The options of sockets.
enum SocketOptions {
    /// A link is not writable above 256 KiB of unsent bytes, and writable again at 64 KiB.
    ///
    /// The kernel's buffer comes after this one and keeps the network busy, so this one must only bridge the time until
    /// a suspended publisher wakes up. A larger one would cost memory for each peer that has stopped reading.
    static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 64 << 10, high: 256 << 10)

    /// Starts with the size of an idle connection's packets, and grows to 64 KiB within six full reads.
    static let receiveBuffers = AdaptiveRecvByteBufferAllocator(minimum: 1 << 10, initial: 1 << 10, maximum: 64 << 10)

    /// One read per iteration of the event loop: after 64 KiB from a busy link, the others get their turn. NIO keeps as
    /// many buffers for a channel as it may read at once, so an idle link keeps only one.
    static let readsPerRound: UInt = 1

    /// A smaller read is probably part of a conversation, not of a stream.
    static let smallRead = 4096

    /// The kernel's buffer for what a Unix domain socket sends; Linux cuts it to twice `net.core.wmem_max`.
    ///
    /// Unlike that of TCP, it does not grow, and a sender that has filled it may only go on when three quarters are
    /// read. With Linux's default of 208 KiB, the reader is then idle until the sender wakes up.
    static let unixSendBuffer: SocketOptionValue = 1 << 20

    /// Whether a read of the socket would return bytes, the end of the stream or an error without waiting.
    static func hasUnreadBytes(_ socket: NIOBSDSocket.Handle) -> Bool {
        var byte: UInt8 = 0
        let count = recv(socket, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count >= 0 || ![EAGAIN, EWOULDBLOCK, EINTR].contains(errno)
    }

    /// The user that the process at the other end of a Unix domain socket runs as.
    static func peerUserID(_ socket: NIOBSDSocket.Handle) -> UInt32? {
        #if canImport(Darwin)
        var user = uid_t()
        var group = gid_t()
        return getpeereid(socket, &user, &group) == 0 ? user : nil
        #else
        // `struct ucred`, which the C library declares only for GNU extensions.
        var credentials = (pid: pid_t(), user: uid_t(), group: gid_t())
        var size = socklen_t(MemoryLayout.size(ofValue: credentials))
        return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 ? credentials.user : nil
        #endif
    }

    /// Makes the kernel acknowledge received bytes immediately, instead of waiting for something to send with the
    /// acknowledgement.
    ///
    /// Many servers leave Nagle's algorithm on (as mosquitto does by default). Their next small packet then waits for
    /// the acknowledgement of the previous one, and a kernel that delays acknowledgements adds 40 ms to each request
    /// and reply. Linux resets the option after a while, so set it again after each small read. Other systems have no
    /// such option.
    static func acknowledgeAtOnce(_ channel: any Channel) {
        #if os(Linux)
        // Setting an option fails only if the channel is closed.
        try? channel.syncOptions?.setOption(.tcpOption(NIOBSDSocket.Option(rawValue: TCP_QUICKACK)), value: 1)
        #endif
    }
}

extension ClientBootstrap {
    func socketLinkOptions(isTCP: Bool) -> ClientBootstrap {
        (isTCP
            ? self.channelOption(.tcpOption(.tcp_nodelay), value: 1)
            : self.channelOption(.socketOption(.so_sndbuf), value: SocketOptions.unixSendBuffer))
            .channelOption(.writeBufferWaterMark, value: SocketOptions.waterMark)
            .channelOption(.recvAllocator, value: SocketOptions.receiveBuffers)
            .channelOption(.maxMessagesPerRead, value: SocketOptions.readsPerRound)
    }
}

extension ServerBootstrap {
    func socketLinkOptions(isTCP: Bool) -> ServerBootstrap {
        (isTCP
            ? self.childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            : self.childChannelOption(.socketOption(.so_sndbuf), value: SocketOptions.unixSendBuffer))
            .childChannelOption(.writeBufferWaterMark, value: SocketOptions.waterMark)
            .childChannelOption(.recvAllocator, value: SocketOptions.receiveBuffers)
            .childChannelOption(.maxMessagesPerRead, value: SocketOptions.readsPerRound)
    }
}
