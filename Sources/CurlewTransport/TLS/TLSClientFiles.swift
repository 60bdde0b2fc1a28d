import NIOCore
import NIOPosix
import Synchronization

/// TLS as a client, with files that are loaded again after they have changed: certificates are renewed while a client
/// runs.
final class TLSClientFiles: Sendable {
    private struct State {
        var context: TLSClientContext
        /// The files as they were when `context` was loaded.
        var stamps: [FileStamp?]
        /// Why the changed files cannot be used, if they cannot.
        var failure: String?
        var isRefreshing = false
    }

    private let settings: TLSSettings
    private let paths: [String]
    private let report: @Sendable (TransportError) -> Void
    /// Guards the context and what it was loaded from.
    private let state: Mutex<State>

    /// Loads the files, which blocks: do not call it on an event loop.
    ///
    /// - Parameter report: Called when changed files cannot be used, once for each reason.
    init(_ settings: TLSSettings, report: @escaping @Sendable (TransportError) -> Void) throws(TransportError) {
        self.settings = settings
        self.paths = settings.paths
        self.report = report
        // Before the files are read: a change in the meantime is noticed at the next attempt.
        let stamps = self.paths.flatMap { FileStamp.all(at: $0) }
        self.state = Mutex(State(context: try TLSClientContext(settings), stamps: stamps))
    }

    /// What was loaded last.
    var context: TLSClientContext { self.state.withLock { $0.context } }

    /// The context for an attempt to connect, from the current files if they can be used. Returns `nil` if the task is
    /// cancelled.
    ///
    /// - Parameter limit: How long to wait: a network file system may not answer.
    func refreshed(within limit: Duration, on eventLoop: any EventLoop) async -> TLSClientContext? {
        guard !self.paths.isEmpty else { return self.context }
        let done = OneShot<Bool>()
        NIOThreadPool.singleton.submit { _ in
            self.refresh()
            done.set(true)
        }
        let deadline = eventLoop.scheduleTask(in: TimeAmount(limit)) { done.set(false) }
        defer { deadline.cancel() }
        return await done.wait() == nil ? nil : self.context
    }

    /// Loads the files again if they have changed. If they cannot be used, the former ones stay, and the next call
    /// tries again. Blocks.
    func refresh() {
        let former: [FileStamp?]? = self.state.withLock { state in
            guard !state.isRefreshing else { return nil }
            state.isRefreshing = true
            return state.stamps
        }
        guard let former else { return }
        let stamps = self.paths.flatMap { FileStamp.all(at: $0) }
        guard stamps != former else {
            return self.state.withLock { state in
                state.failure = nil
                state.isRefreshing = false
            }
        }
        do throws(TransportError) {
            let context = try TLSClientContext(self.settings)
            self.state.withLock { $0 = State(context: context, stamps: stamps) }
        } catch {
            let isNews = self.state.withLock { state in
                defer { state.failure = error.message }
                state.isRefreshing = false
                return state.failure != error.message
            }
            if isNews { self.report(error) }
        }
    }
}

extension TLSSettings {
    /// The files and directories that the settings name.
    fileprivate var paths: [String] {
        // Pre-shared keys replace certificates.
        guard self.preSharedKey == nil else { return [] }
        let identity = [self.clientCertificate?.chain, self.clientCertificate?.key]
        return (identity.map { $0?.path } + [self.trustRoots.path] + self.revocationLists.map(\.path)).compactMap { $0 }
    }
}

extension TLSSettings.Material {
    fileprivate var path: String? { if case .file(let path) = self.source { path } else { nil } }
}

extension TLSSettings.TrustRoots {
    fileprivate var path: String? {
        switch self.source {
        case .system: nil
        case .directory(let path): path
        case .certificates(let material): material.path
        }
    }
}
