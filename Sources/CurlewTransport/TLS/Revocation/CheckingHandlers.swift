import NIOSSL

/// Creates TLS handlers that check certificates against revocation lists.
///
/// Only NIOSSL's oldest callback adds to the verification by BoringSSL; the newer ones replace all of it but the host
/// name. NIOSSL deprecates it because it is hard to use. A protocol between declaration and use keeps that warning away.
private protocol CheckingHandlers {
    func server(_ context: NIOSSLContext, _ check: RevocationCheck) throws -> NIOSSLServerHandler

    /// - Parameter name: The host name to request and to verify the certificate against.
    func client(_ context: NIOSSLContext, name: String?, _ check: RevocationCheck) throws -> NIOSSLClientHandler
}

extension NIOSSLServerHandler {
    /// Creates a handler that checks certificates if there are lists.
    static func checking(_ context: NIOSSLContext, with check: RevocationCheck?) throws -> NIOSSLServerHandler {
        guard let check else { return NIOSSLServerHandler(context: context) }
        let handlers: any CheckingHandlers = CallbackHandlers()
        return try handlers.server(context, check)
    }
}

extension NIOSSLClientHandler {
    /// Creates a handler that checks certificates if there are lists.
    static func checking(
        _ context: NIOSSLContext, name: String?, with check: RevocationCheck?
    ) throws -> NIOSSLClientHandler {
        guard let check else { return try NIOSSLClientHandler(context: context, serverHostname: name) }
        let handlers: any CheckingHandlers = CallbackHandlers()
        return try handlers.client(context, name: name, check)
    }
}

private struct CallbackHandlers: CheckingHandlers {
    @available(*, deprecated)
    func server(_ context: NIOSSLContext, _ check: RevocationCheck) throws -> NIOSSLServerHandler {
        try NIOSSLServerHandler(context: context, verificationCallback: { check.verify($0, $1) })
    }

    @available(*, deprecated)
    func client(_ context: NIOSSLContext, name: String?, _ check: RevocationCheck) throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(
            context: context, serverHostname: name, verificationCallback: { check.verify($0, $1) })
    }
}
