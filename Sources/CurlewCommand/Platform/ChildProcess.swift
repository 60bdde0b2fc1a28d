#if Tools
import CurlewCore
import CurlewTransport

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif
import Synchronization

/// A child process, with pipes to its standard input and from its standard output.
final class ChildProcess: Sendable {
    /// How a process ends.
    enum End: Equatable, Sendable {
        case code(Int32)
        case signal(Int32)
    }

    /// Writes to its standard input.
    let input: Descriptor
    /// Reads its standard output.
    let output: Descriptor
    /// Reads its standard error; `nil` if it shares that of this process.
    let errors: Descriptor?
    /// Guards the process identifier; `nil` after it has ended, when another process may get the same one and must not
    /// be signalled.
    private let number: Mutex<pid_t?>
    private let process: pid_t
    private let isGroup: Bool

    private init(
        _ process: pid_t, input: Descriptor, output: Descriptor, errors: Descriptor?, isGroup: Bool
    ) {
        self.isGroup = isGroup
        self.process = process
        self.number = Mutex(process)
        self.input = input
        self.output = output
        self.errors = errors
    }

    /// Starts a program, with the default handling of signals: in this process, some are blocked and some ignored.
    ///
    /// - Parameters:
    ///   - arguments: The path of the program and its arguments.
    ///   - environment: All its environment variables, as `name=value`.
    ///   - capturesErrors: Whether its standard error is captured.
    ///   - isGroup: Whether it leads its own process group, which is signalled as a whole. A group of its own cannot
    ///     read the terminal.
    static func start(
        _ arguments: [String], environment: [String], capturesErrors: Bool = false, isGroup: Bool = true
    ) throws(SystemError) -> ChildProcess {
        try self.starting.withLock { _ throws(SystemError) in
            try self.startAlone(arguments, environment, capturesErrors, isGroup)
        }
    }

    /// Starts one process at a time. Between their creation and `FD_CLOEXEC`, pipes could be inherited by another
    /// child, and their readers would then wait for that child, too.
    private static let starting = Mutex(())

    private static func startAlone(
        _ arguments: [String], _ environment: [String], _ capturesErrors: Bool, _ isGroup: Bool
    ) throws(SystemError) -> ChildProcess {
        var pipes: [PipeEnds] = []
        do throws(SystemError) {
            for _ in 0..<(capturesErrors ? 3 : 2) { pipes.append(try PipeEnds()) }
        } catch {
            for pipe in pipes { pipe.close() }
            throw error
        }
        let childEnds = [pipes[0].reading] + pipes[1...].map(\.writing)
        let ownEnds = [pipes[0].writing] + pipes[1...].map(\.reading)
        var process = pid_t()
        let code = withSpawnSettings(childEnds, isGroup: isGroup) { actions, attributes in
            withPointers(arguments) { arguments in
                withPointers(environment) { variables in
                    guard let path = arguments[0] else { return EINVAL }
                    return posix_spawn(&process, path, actions, attributes, arguments, variables)
                }
            }
        }
        for end in childEnds { end.closeFile() }
        guard code == 0 else {
            for end in ownEnds { end.closeFile() }
            throw SystemError(number: code)
        }
        return ChildProcess(
            process, input: ownEnds[0], output: ownEnds[1], errors: capturesErrors ? ownEnds[2] : nil,
            isGroup: isGroup)
    }

    /// Sends a signal to the process, or to its group.
    func send(_ signal: Int32) {
        self.number.withLock { if let number = $0 { _ = kill(self.isGroup ? -number : number, signal) } }
    }

    /// Waits until it ends. Call this once.
    func waitForEnd() -> End {
        var information = siginfo_t()
        // WNOWAIT: its identifier stays reserved until it is cleared below.
        while waitid(P_PID, id_t(self.process), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
        var status: Int32 = 0
        self.number.withLock { number in
            while waitpid(self.process, &status, 0) < 0, errno == EINTR {}
            number = nil
        }
        let signal = status & 0x7F
        return signal == 0 ? .code((status >> 8) & 0xFF) : .signal(signal)
    }
}

#if canImport(Darwin)
private typealias SpawnActions = posix_spawn_file_actions_t?
private typealias SpawnAttributes = posix_spawnattr_t?
#else
private typealias SpawnActions = posix_spawn_file_actions_t
private typealias SpawnAttributes = posix_spawnattr_t
#endif

/// Prepares the child: a process group of its own if `isGroup`, so that a shell's children end with it; default
/// handling of signals.
private func withSpawnSettings(
    _ ends: [Descriptor], isGroup: Bool,
    _ body: (UnsafePointer<SpawnActions>, UnsafePointer<SpawnAttributes>) -> Int32
) -> Int32 {
    #if canImport(Darwin)
    var (actions, attributes): (SpawnActions, SpawnAttributes) = (nil, nil)
    #else
    var (actions, attributes) = (SpawnActions(), SpawnAttributes())
    #endif
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
        posix_spawn_file_actions_destroy(&actions)
        posix_spawnattr_destroy(&attributes)
    }
    for (number, end) in ends.enumerated() {
        posix_spawn_file_actions_adddup2(&actions, end.number, Int32(number))
    }
    // A child that inherited sockets would keep ports and connections open.
    #if canImport(Darwin)
    let closing = Int32(POSIX_SPAWN_CLOEXEC_DEFAULT)
    #else
    let closing: Int32 = 0
    for number in 3..<min(getdtablesize(), 65_536) where fcntl(number, F_GETFD) >= 0 {
        posix_spawn_file_actions_addclose(&actions, number)
    }
    #endif
    var (none, ignored) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    sigemptyset(&ignored)
    for signal in [SIGPIPE, SIGINT, SIGTERM] { sigaddset(&ignored, signal) }
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &ignored)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
        &attributes,
        Int16(
            Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF)
                | Int32(isGroup ? POSIX_SPAWN_SETPGROUP : 0)
                | closing))
    return body(&actions, &attributes)
}

/// Passes texts, with their bytes kept, as a null-terminated array of C strings.
private func withPointers<Result>(
    _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers = texts.map { text in text.withKeptCString { strdup($0) } } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return body(&pointers)
}

/// The environment of this process with additional or replaced variables.
func currentEnvironment(with others: [String: String]) -> [String] {
    let variables = environmentVariables.filter { others[String($0.prefix { $0 != "=" })] == nil }
    return variables + others.map { "\($0)=\($1)" }
}
#endif
