import NIOCore

/// The handler above a WebSocket: handshakes place their handlers before it.
protocol WebSocketOwner: ChannelHandler {
    /// A trusted proxy has stated the address of its client.
    func forwards(_ client: ForwardedClient)

    /// The handshake was successful: adds the handlers of frames.
    func addWebSocket(
        as role: WebSocketReading.Role, maximumFrameSize: Int, _ pipeline: ChannelPipeline.SynchronousOperations
    ) throws
}
