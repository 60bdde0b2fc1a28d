import DequeModule

/// Decides which jobs of a route run: up to a number of them at once, and those with the same key one after the other.
struct RouteLanes<Job, Key: Hashable> {
    /// The maximum number of jobs that run at once.
    private let width: Int
    private var running = 0
    /// The jobs behind the first one of each key; a key is present while a job with it runs or is ready.
    private var lanes: [Key: Deque<Job>] = [:]
    /// Jobs that may run as soon as another one ends.
    private var ready = Deque<(job: Job, key: Key?)>()
    /// The number of jobs that run or wait.
    private(set) var count = 0

    init(width: Int) { self.width = width }

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
    /// - Parameter key: Jobs with the same key run in the order of their arrival; `nil` for a job without an order.
    mutating func add(_ job: Job, key: Key?) -> Added {
        self.count += 1
        if let key {
            guard self.lanes[key] == nil else {
                self.lanes[key]?.append(job)
                return .wait
            }
            self.lanes[key] = Deque()
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
            if let next = self.lanes[key]?.popFirst() {
                // Behind the jobs of other keys: a busy key must not starve them.
                self.ready.append((next, key))
            } else {
                self.lanes[key] = nil
            }
        }
        if let next = self.ready.popFirst() { return next }
        self.running -= 1
        return nil
    }
}
