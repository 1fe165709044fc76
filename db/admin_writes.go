package db

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/db/dbgen"
	"furrow/ledger"
)

// WriteSearch chooses writes of everybody, for those who run the program. Zero
// fields do not filter. It is stored as JSON with what is done to all that match.
type WriteSearch struct {
	States        []ledger.State
	User          string    // in the owner's address
	Project       string    // in the name of the client, the project or the task
	Number        int64     // id of the write, or of its entry in Harvest
	Reference     string    // external reference, or how it begins; without [ledger.ReferenceGroup]
	Said          string    // in what Harvest said
	Reason        string    // ledger.Reason or ledger.WaitReason
	Status        int       // HTTP status of the latest failure
	Op            ledger.Op // what it does
	Connection    int64
	CreatedBefore time.Time
	SentBefore    time.Time // sent last; what was never sent does not match
	UpTo          int64     // highest id; 0: any
}

// AllStates are the states of writes, those that are under way first.
func AllStates() []ledger.State {
	return []ledger.State{
		ledger.Sending, ledger.Pending, ledger.Retry, ledger.Uncertain, ledger.Blocked, ledger.Rejected, ledger.Conflict,
		ledger.Done, ledger.Superseded, ledger.Dropped,
	}
}

// The bounds of a search. A page of the list looks through so many writes of a
// state at most, and says where it stopped; a count goes no further either.
const (
	scanDepth  = 5000
	countedTo  = 1_000
	mostOwners = 20 // whose writes are looked up one by one
)

// scan is a search as SQL: for each state, and for each owner if they are few,
// one walk along an index in the order of ids. What that index does not answer
// is asked of the writes it leads to, of which no more than the depth are read.
// Whatever the filters and however rare what they choose, a page costs no more
// than that. The SQL is put together here, and not by sqlc, because it is its
// shape that has to differ: one statement for all filters has one plan for all.
type scan struct {
	args  pgx.NamedArgs
	drive []string // of w, a write: answered by the index
	upTo  int64    // highest id
	rest  []string // of w, and of p, its entry
	each  bool     // by owner
	entry bool     // p is asked
	none  bool     // nothing can match
}

// scanOf finds out what the filters stand for.
func scanOf(ctx context.Context, q *dbgen.Queries, f WriteSearch) (*scan, error) {
	s := &scan{args: pgx.NamedArgs{"states": stateNames(f.States), "depth": scanDepth}, upTo: math.MaxInt64}
	if len(f.States) == 0 {
		s.args["states"] = stateNames(AllStates())
	}
	owners, err := s.people(ctx, q, f)
	if err != nil {
		return nil, err
	}
	s.failures(f)
	if err := s.ids(ctx, q, f); err != nil {
		return nil, err
	}
	switch {
	case owners == nil:
	case len(owners) == 0:
		s.none = true
	case len(owners) <= mostOwners && len(s.drive) == 0:
		s.each, s.args["owners"], s.args["depth"] = true, owners, scanDepth/len(owners)
	default:
		s.rest, s.args["owners"] = append(s.rest, "w.user_id = any(@owners::bigint[])"), owners
	}
	return s, s.times(ctx, q, f)
}

// driven lets an index answer a filter, if none does yet.
func (s *scan) driven(condition string) {
	if len(s.drive) == 0 {
		s.drive = append(s.drive, condition)
	} else {
		s.rest = append(s.rest, condition)
	}
}

// people are the owners that may have what is looked for; nil for all.
func (s *scan) people(ctx context.Context, q *dbgen.Queries, f WriteSearch) (owners []int64, err error) {
	if f.Connection != 0 {
		owner, err := q.ConnectionOwner(ctx, f.Connection)
		if errors.Is(err, pgx.ErrNoRows) {
			return []int64{}, nil
		}
		if err != nil {
			return nil, err
		}
		owners = []int64{owner} // has had no other connection
	}
	if f.User != "" {
		found, err := q.OwnersLike(ctx, like(strings.ToLower(f.User)))
		if err != nil {
			return nil, err
		}
		owners = common(owners, found)
	}
	if f.Project != "" {
		projects, err := q.ProjectsLike(ctx, like(f.Project))
		if err != nil {
			return nil, err
		}
		tasks, err := q.TasksLike(ctx, like(f.Project))
		if err != nil {
			return nil, err
		}
		of := map[int64]bool{}
		projectIDs, taskIDs := []int64{}, []int64{}
		for _, p := range projects {
			projectIDs, of[p.UserID] = append(projectIDs, p.ID), true
		}
		for _, t := range tasks {
			taskIDs, of[t.UserID] = append(taskIDs, t.ID), true
		}
		s.entry, s.args["projects"], s.args["tasks"] = true, projectIDs, taskIDs
		s.rest = append(s.rest, "(p.project_id = any(@projects::bigint[]) or p.task_id = any(@tasks::bigint[]))")
		owners = common(owners, slices.Sorted(maps.Keys(of)))
	}
	return owners, nil
}

// common are the ids that are in both; nil stands for all ids.
func common(a, b []int64) []int64 {
	if b == nil {
		b = []int64{}
	}
	if a == nil {
		return b
	}
	in := make(map[int64]bool, len(b))
	for _, id := range b {
		in[id] = true
	}
	return slices.DeleteFunc(a, func(id int64) bool { return !in[id] })
}

// ids are filters that choose a handful.
func (s *scan) ids(ctx context.Context, q *dbgen.Queries, f WriteSearch) error {
	if f.Number != 0 {
		ids, err := q.WriteIDsByNumber(ctx, f.Number)
		if err != nil {
			return err
		}
		s.args["numbered"] = ids
		s.only("w.id = any(@numbered::bigint[])")
	}
	if f.Reference != "" {
		s.args["reference"] = plainly(ledger.ReferenceGroup+":"+f.Reference) + "%"
		s.rest = append(s.rest, "w.reference like @reference")
		// A reference holds the id of its entry, which is at random: four digits leave one in 65,536.
		if first, last, ok := uuidsFrom(f.Reference); ok {
			s.args["first"], s.args["last"] = first, last
			s.only("w.pushed_entry_id between @first::uuid and @last::uuid")
		}
	}
	return nil
}

// only puts a filter that chooses a handful before the others.
func (s *scan) only(condition string) {
	s.rest = append(s.rest, s.drive...)
	s.drive = []string{condition}
}

// uuidsFrom are the least and the greatest id that begin as a reference does;
// ok is false if that is too short, or no id.
func uuidsFrom(reference string) (first, last string, ok bool) {
	const least, lowest, greatest = 4, "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"
	id, _, _ := strings.Cut(reference, ":")
	id = strings.ToLower(id)
	if len(id) < least || len(id) > len(lowest) {
		return "", "", false
	}
	for i, c := range id {
		if (lowest[i] == '-') != (c == '-') || c != '-' && !strings.ContainsRune("0123456789abcdef", c) {
			return "", "", false
		}
	}
	return id + lowest[len(id):], id + greatest[len(id):], true
}

// failures are filters by what went wrong, and by what is rare.
func (s *scan) failures(f WriteSearch) {
	if f.Reason != "" {
		s.args["reason"] = f.Reason
		s.driven("w.error_reason = @reason and w.error_reason <> ''")
	}
	if f.Status != 0 {
		s.args["status"] = f.Status
		s.driven("w.error_status = @status and w.error_status <> 0")
	}
	if f.Op != "" {
		s.args["op"] = string(f.Op)
		if f.Op == ledger.OpCreate || f.Op == ledger.OpUpdate {
			s.rest = append(s.rest, "w.op = @op")
		} else {
			s.driven("w.op = @op and w.op not in ('create', 'update')")
		}
	}
	if f.Said != "" {
		s.args["said"] = like(f.Said)
		s.rest = append(s.rest, "w.error_message ilike @said")
	}
	if f.Connection != 0 {
		s.args["connection"] = f.Connection
		s.rest = append(s.rest, "w.connection_id = @connection")
	}
}

// createdSlack is how much later than its write, at most, a transaction may have
// begun of which a write has a lower id.
const createdSlack = time.Minute

// times are filters by age. Ids grow with time, so that the index by id answers.
func (s *scan) times(ctx context.Context, q *dbgen.Queries, f WriteSearch) error {
	before := f.CreatedBefore
	if !before.IsZero() {
		s.args["created"] = before
		s.rest = append(s.rest, "w.created_at < @created")
	}
	if sent := f.SentBefore; !sent.IsZero() {
		s.args["sent"] = sent
		s.rest = append(s.rest, "w.sent_at < @sent")
		if before.IsZero() || sent.Before(before) {
			before = sent
		}
	}
	upTo := f.UpTo
	if !before.IsZero() {
		id, err := q.WriteBefore(ctx, before.Add(createdSlack))
		if err != nil {
			return err
		}
		s.none = s.none || id == 0
		if upTo == 0 || id < upTo {
			upTo = id
		}
	}
	if upTo != 0 {
		s.upTo = upTo
	}
	return nil
}

// like is a pattern for what holds text.
func like(text string) string { return "%" + plainly(text) + "%" }

// plainly is a pattern for text as it is.
func plainly(text string) string {
	return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(text)
}

func stateNames(states []ledger.State) []string {
	list := make([]string, len(states))
	for i, state := range states {
		list[i] = string(state)
	}
	return list
}

// walks are the walks of the scan: st.state and, by owner, o.id.
func (s *scan) walks() string {
	if s.each {
		return "unnest(@states::text[]) st(state) cross join unnest(@owners::bigint[]) o(id)"
	}
	return "unnest(@states::text[]) st(state)"
}

// walk is what one of them reads, in a direction, but its end: what lies between
// two places of an index. If it asked for one state by its name, the index of ids
// alone would do as well, and be tried with a state that nothing is in.
func (s *scan) walk(direction string) string {
	conditions := append([]string{"(w.state, w.id) > (st.state, @above::bigint)", "(w.state, w.id) <= (st.state, @up_to::bigint)"}, s.drive...)
	if s.each {
		conditions = append(conditions, "w.user_id = o.id")
	}
	return "writes w where " + strings.Join(conditions, " and ") + ordered(direction)
}

func ordered(direction string) string {
	return " order by w.state " + direction + ", w.id " + direction
}

// matching are the writes that a walk finds.
func (s *scan) matching(direction string) string {
	text := "(select w.* from " + s.walk(direction) + " limit @depth) w"
	if s.entry {
		// Not to be joined in any other way than one by one.
		text += " cross join lateral (select p.project_id, p.task_id from pushed_entries p where p.id = w.pushed_entry_id offset 0) p"
	}
	if len(s.rest) > 0 {
		text += " where " + strings.Join(s.rest, " and ")
	}
	return text + ordered(direction)
}

// query has PostgreSQL plan the statement for its arguments.
func (s *scan) query(ctx context.Context, conn dbgen.DBTX, sql string, more pgx.NamedArgs) (pgx.Rows, error) {
	args := maps.Clone(s.args)
	args["above"], args["up_to"] = int64(0), s.upTo
	maps.Copy(args, more)
	return conn.Query(ctx, sql, pgx.QueryExecModeCacheDescribe, args)
}

// found are ids in the order asked for; if there are more, the search goes on
// behind next, which is not one of them if it went through as many as it may.
type found struct {
	ids  []int64
	next int64 // 0: there are no more
}

// find returns at most most ids behind an id, 0 for the beginning: downwards, or
// upwards if oldest.
func (s *scan) find(ctx context.Context, conn dbgen.DBTX, from int64, oldest bool, most int) (found, error) {
	if s.none {
		return found{}, nil
	}
	direction, bounds := "desc", pgx.NamedArgs{"most": most + 1}
	switch {
	case oldest:
		direction = "asc"
		bounds["above"] = from
	case from != 0:
		bounds["up_to"] = min(from-1, s.upTo)
	}
	rows, err := s.query(ctx, conn, `
select f.ids, case when cardinality(f.ids) < @most then (select w.id from `+s.walk(direction)+` offset @depth limit 1) end
from `+s.walks()+`
cross join lateral (select array(select w.id from `+s.matching(direction)+` limit @most) as ids offset 0) f`, bounds)
	if err != nil {
		return found{}, err
	}
	var all, ids []int64
	var unread *int64 // the first that a walk did not read
	var horizon int64
	sign := int64(-1)
	if oldest {
		sign = 1
	}
	_, err = pgx.ForEachRow(rows, []any{&ids, &unread}, func() error {
		all = append(all, ids...)
		if unread != nil && (horizon == 0 || *unread*sign < horizon*sign) {
			horizon = *unread
		}
		return nil
	})
	if err != nil {
		return found{}, err
	}
	slices.SortFunc(all, func(a, b int64) int { return int(sign * (a - b)) })
	result := found{ids: all}
	if horizon != 0 { // beyond it, something may be missing
		result.ids = slices.DeleteFunc(result.ids, func(id int64) bool { return id*sign >= horizon*sign })
		result.next = horizon - sign
	}
	if len(result.ids) > most {
		result.ids = result.ids[:most]
		result.next = result.ids[most-1]
	}
	return result, nil
}

// WritesFound is a page of a search.
type WritesFound struct {
	Writes []WriteRecord
	Next   int64 // where the next page begins; 0: there is none
}

// SearchWrites returns a page of the writes that match, newest first, or oldest
// first, behind an id of which an earlier page told; at most most. A page may
// hold fewer than there are, and has a next one then.
func (s *Store) SearchWrites(ctx context.Context, f WriteSearch, from int64, oldest bool, most int) (WritesFound, error) {
	scan, err := scanOf(ctx, s.q, f)
	if err != nil {
		return WritesFound{}, fmt.Errorf("read the search of writes: %w", err)
	}
	page, err := scan.find(ctx, s.pool, from, oldest, most)
	if err != nil {
		return WritesFound{}, fmt.Errorf("search writes: %w", err)
	}
	if len(page.ids) == 0 {
		return WritesFound{Next: page.next}, nil
	}
	records, err := s.Writes(ctx, WriteFilter{IDs: page.ids, Most: most})
	if err != nil {
		return WritesFound{}, err
	}
	if oldest {
		slices.Reverse(records)
	}
	return WritesFound{Writes: records, Next: page.next}, nil
}

// Bounded is a number that was counted no further than need be.
type Bounded struct {
	N    int
	More bool // there are, or may be, more
}

// Plus adds b to what is counted.
func (b Bounded) Plus(c Bounded) Bounded { return Bounded{b.N + c.N, b.More || c.More} }

// CountSearch counts the writes that match by state, each of them no further
// than a thousand.
func (s *Store) CountSearch(ctx context.Context, f WriteSearch) (map[ledger.State]Bounded, error) {
	counts := map[ledger.State]Bounded{}
	scan, err := scanOf(ctx, s.q, f)
	if err != nil {
		return nil, fmt.Errorf("read the search of writes: %w", err)
	}
	if scan.none {
		return counts, nil
	}
	rows, err := scan.query(ctx, s.pool, `
select st.state, c.n, c.n > @most or exists (select from `+scan.walk("desc")+` offset @depth limit 1)
from `+scan.walks()+`
cross join lateral (select count(*) as n from (select 1 from `+scan.matching("desc")+` limit @most + 1) x offset 0) c`, pgx.NamedArgs{"most": countedTo})
	if err != nil {
		return nil, fmt.Errorf("count writes: %w", err)
	}
	var state string
	var b Bounded
	_, err = pgx.ForEachRow(rows, []any{&state, &b.N, &b.More}, func() error {
		counts[ledger.State(state)] = counts[ledger.State(state)].Plus(b)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count writes: %w", err)
	}
	for state, b := range counts {
		if b.N > countedTo {
			counts[state] = Bounded{countedTo, true}
		}
	}
	return counts, nil
}

// Suggestion is something to look for, and how many writes have it.
type Suggestion struct {
	Value string
	N     int
}

// WriteSuggestions are what people may look for.
type WriteSuggestions struct {
	Users    []Suggestion // addresses of those who have most writes that are not through
	Reasons  []Suggestion
	Statuses []Suggestion
}

// WriteSuggestions returns what people may look for among the writes there are.
func (s *Store) WriteSuggestions(ctx context.Context) (w WriteSuggestions, err error) {
	users, err := s.q.WriteOwners(ctx)
	if err != nil {
		return w, fmt.Errorf("suggest owners of writes: %w", err)
	}
	reasons, err := s.q.WriteReasons(ctx)
	if err != nil {
		return w, fmt.Errorf("suggest reasons of writes: %w", err)
	}
	statuses, err := s.q.WriteStatuses(ctx)
	if err != nil {
		return w, fmt.Errorf("suggest statuses of writes: %w", err)
	}
	for _, u := range users {
		w.Users = append(w.Users, Suggestion{u.Email, int(u.Writes)})
	}
	for _, r := range reasons {
		w.Reasons = append(w.Reasons, Suggestion{r.ErrorReason, int(r.Writes)})
	}
	for _, r := range statuses {
		w.Statuses = append(w.Statuses, Suggestion{strconv.Itoa(int(r.ErrorStatus)), int(r.Writes)})
	}
	return w, nil
}

// entriesOfWrites are writes w with their entries p and connections c.
const entriesOfWrites = `writes w
join pushed_entries p on p.id = w.pushed_entry_id
join harvest_connections c on c.id = w.connection_id`

// all are all writes that match, with entries and connections, in no order.
func (s *scan) all() string {
	conditions := append([]string{"w.state = any(@states::text[])", "w.id > @above and w.id <= @up_to"}, s.drive...)
	if s.each {
		conditions = append(conditions, "w.user_id = any(@owners::bigint[])")
	}
	return entriesOfWrites + " where " + strings.Join(append(conditions, s.rest...), " and ")
}
