import DequeModule

/// Decides which jobs of a route or server run: up to a number of them at once, and of those with the same key, up to a
/// number that depends on the key, in the order of their arrival.
struct RouteLanes<Job, Key: Hashable & SendableMetatype> {
    /// The jobs with the same key.
    private struct Lane {
        /// How many of them run or are ready.
        var active = 0
        /// The others.
        var waiting = Deque<Job>()
    }

    /// The maximum number of jobs that run at once.
    private let width: Int
    private let laneWidth: @Sendable (Key) -> Int
    private var running = 0
    /// A key is present while a job with it runs or is ready.
    private var lanes: [Key: Lane] = [:]
    /// Jobs that may run as soon as another one ends.
    private var ready = Deque<(job: Job, key: Key?)>()
    /// The number of jobs that run or wait.
    private(set) var count = 0

    /// Creates lanes.
    ///
    /// - Parameters:
    ///   - width: The maximum number of jobs that run at once.
    ///   - laneWidth: The maximum number of jobs with the same key that run at once. Default: 1.
    init(width: Int, laneWidth: @escaping @Sendable (Key) -> Int = { _ in 1 }) {
        self.width = width
        self.laneWidth = laneWidth
    }

    /// Whether no job remains.
    var isEmpty: Bool { self.count == 0 }

    /// What to do with a new job.
    enum Added {
        /// Run it now.
        case run
        /// It waits until ``ended(_:)`` returns it.
        case wait
    }

    /// A job arrived.
    ///
    /// - Parameter key: Jobs with the same key begin in the order of their arrival; `nil` for a job without an order.
    mutating func add(_ job: Job, key: Key?) -> Added {
        self.count += 1
        if let key {
            guard self.lanes[key]?.active ?? 0 < self.laneWidth(key) else {
                self.lanes[key]?.waiting.append(job)
                return .wait
            }
            self.lanes[key, default: Lane()].active += 1
        }
        guard self.running < self.width else {
            self.ready.append((job, key))
            return .wait
        }
        self.running += 1
        return .run
    }

    /// A job ended. Returns the job to run in its place.
    mutating func ended(_ key: Key?) -> (job: Job, key: Key?)? {
        self.count -= 1
        if let key {
            if let next = self.lanes[key]?.waiting.popFirst() {
                // Behind the jobs of other keys: a busy key must not starve them.
                self.ready.append((next, key))
            } else {
                self.lanes[key]?.active -= 1
                if self.lanes[key]?.active == 0 { self.lanes[key] = nil }
            }
        }
        if let next = self.ready.popFirst() { return next }
        self.running -= 1
        return nil
    }
}
