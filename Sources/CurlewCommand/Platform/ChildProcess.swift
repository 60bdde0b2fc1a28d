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

/// A process that this one has started, with pipes to its standard input and from its standard output.
final class ChildProcess: Sendable {
    /// How a process ends.
    enum End: Equatable, Sendable {
        case code(Int32)
        case signal(Int32)
    }

    /// To write to what it reads.
    let input: Descriptor
    /// To read what it writes.
    let output: Descriptor
    /// To read what it writes to standard error; `nil` where that is the one of this process.
    let errors: Descriptor?
    /// `nil` once it has ended, when its number may be another's. Guards that nobody signals that one.
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

    /// Starts a program, with the signals as every program expects them: here some are blocked and some ignored.
    ///
    /// - Parameters:
    ///   - arguments: The path of the program, and what it is told.
    ///   - environment: All its variables, as `name=value`.
    ///   - capturesErrors: Whether what it writes to standard error can be read here.
    ///   - isGroup: Whether it leads a group of processes, which a signal reaches as a whole. Such a one has no terminal.
    static func start(
        _ arguments: [String], environment: [String], capturesErrors: Bool = false, isGroup: Bool = true
    ) throws(SystemError) -> ChildProcess {
        try self.starting.withLock { _ throws(SystemError) in
            try self.startAlone(arguments, environment, capturesErrors, isGroup)
        }
    }

    /// One process is started at a time: another would inherit the ends of pipes between their making and their marking as
    /// not to be inherited, and whoever waits for the end of such a pipe would wait for that process, too.
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

    /// Sends a signal to it, or to its group.
    func send(_ signal: Int32) {
        self.number.withLock { if let number = $0 { _ = kill(self.isGroup ? -number : number, signal) } }
    }

    /// Waits for its end; call it once.
    func waitForEnd() -> End {
        var information = siginfo_t()
        // It stays known until its number is taken back here.
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

/// A group of its own if so wanted, so that what a shell has started ends with it; no signal blocked, and none ignored.
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
    // Sockets and the like are no business of a child, which would keep ports and connections open.
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

/// The texts, which keep bytes, as C wants a list of them.
private func withPointers<Result>(
    _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers = texts.map { text in text.withKeptCString { strdup($0) } } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return body(&pointers)
}

/// The variables of this process, and others in their place or besides.
func currentEnvironment(with others: [String: String]) -> [String] {
    let variables = environmentVariables.filter { others[String($0.prefix { $0 != "=" })] == nil }
    return variables + others.map { "\($0)=\($1)" }
}
#endif
