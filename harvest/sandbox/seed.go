package sandbox

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Seeds.
const (
	SeedDemo  = "demo"
	SeedEmpty = "empty"
	SeedLarge = "large"
)

// What everybody may know about the seeds.
const (
	accountIda, accountMaren = 1001, 2002
	userIda, userJonas       = 2301, 2302
	userMaren                = 2401
)

func blankWorld() *world {
	return &world{
		Accounts: map[int64]*account{}, Identities: map[int64]*identity{}, Tokens: map[string]*token{}, Refreshes: map[string]*refresh{},
		Codes: map[string]*code{}, Switches: defaultSwitches(),
		Next: map[string]int64{
			kindUser: 2500, kindClient: 1100, kindProject: 3100, kindTask: 4100, kindUserAssignment: 7000, kindTaskAssignment: 8000,
			kindEntry: 90_000_000, kindInvoice: 61_000, kindExpense: 5000, kindToken: 100,
		},
	}
}

// newWorld seeds a world whose year of time entries ends on the day of now.
func newWorld(seed string, now time.Time) (*world, error) {
	w := blankWorld()
	if seed == "" {
		seed = SeedDemo
	}
	w.Seed = seed
	b := &seeder{world: w, now: second(now), rand: rand.New(rand.NewPCG(20_260_101, 7))}
	ida := b.account(accountIda, "Ida Berg Studio", "idaberg", "EUR")
	b.person(ida, 901, userIda, "Ida", "Berg", "ida@example.com", "administrator", "1.pt", "95")
	w.Identities[901].Memberships = append(w.Identities[901].Memberships, membership{AccountID: 5001, Name: ida.Name, Product: "forecast"})
	switch seed {
	case SeedDemo:
		b.person(ida, 902, userJonas, "Jonas", "Lind", "jonas@example.com", "member", "2.pt", "70")
		b.demo(ida)
	case SeedLarge:
		b.person(ida, 902, userJonas, "Jonas", "Lind", "jonas@example.com", "member", "2.pt", "70")
		b.large(ida)
	case SeedEmpty:
	default:
		return nil, fmt.Errorf("%w %q", ErrUnknownSeed, seed)
	}
	maren := b.account(accountMaren, "Holt Research", "holtresearch", "USD")
	maren.Company.WantsTimestampTimers = true
	maren.Company.Clock, maren.Company.TimeFormat, maren.Company.WeekStartDay = "12h", "decimal", "Sunday"
	maren.Company.DecimalSymbol, maren.Company.ThousandsSeparator = ".", ","
	maren.Company.DateFormat = "%m/%d/%Y"
	b.person(maren, 903, userMaren, "Maren", "Holt", "maren@example.com", "administrator", "3.pt", "110")
	maren.Users[userMaren].Timezone = "Eastern Time (US & Canada)"
	if seed != SeedEmpty {
		b.second(maren)
	}
	for _, a := range w.Accounts {
		a.index()
	}
	return w, nil
}

// seeder fills a world. The same day gives the same data.
type seeder struct {
	world *world
	now   time.Time
	rand  *rand.Rand
	made  int // records made so far; spreads the dates of creation
}

// created is when a record came to be: long ago, each a little later than the one before.
func (b *seeder) created() time.Time {
	b.made++
	return b.now.Truncate(24*time.Hour).AddDate(-1, -1, 0).Add(8*time.Hour + time.Duration(b.made)*time.Minute)
}

func (b *seeder) account(id int64, name, domain, currency string) *account {
	a := newAccount(id, name)
	a.Company = company{
		BaseURI: "https://" + domain + ".harvestapp.com", FullDomain: domain + ".harvestapp.com", Name: name, IsActive: true,
		WeekStartDay: "Monday", TimeFormat: "hours_minutes", DateFormat: "%Y-%m-%d", PlanType: "simple-v4", ExpenseFeature: true,
		InvoiceFeature: true, EstimateFeature: true, TeamFeature: true, WeeklyCapacity: 135_000, ApprovalFeature: true, Clock: "24h",
		Currency: currency, CurrencyCodeDisplay: "iso_code_none", CurrencySymbolDisplay: "symbol_before", DecimalSymbol: ",",
		ThousandsSeparator: ".", ColorScheme: "orange",
	}
	b.world.Accounts[id] = a
	return a
}

func (b *seeder) person(a *account, identityID, id int64, first, last, email, access, tokenName, rate string) {
	at := b.created()
	a.Users[id] = &user{
		ID: id, FirstName: first, LastName: last, Email: email, Timezone: "Copenhagen", WeeklyCapacity: 135_000, IsActive: true,
		CreatedAt: at, UpdatedAt: at, DefaultHourlyRate: new(decimalOf(rate)), Roles: []string{"Design"}, AccessRoles: []string{access},
	}
	b.world.Identities[identityID] = &identity{
		ID: identityID, FirstName: first, LastName: last, Email: email,
		Memberships: []membership{{AccountID: a.ID, Name: a.Name, Product: "harvest", UserID: id}},
	}
	b.world.Tokens[tokenName+".sandbox"] = &token{Name: tokenName, IdentityID: identityID}
}

func (b *seeder) client(a *account, name, currency string) *client {
	at := b.created()
	id := b.world.id(kindClient)
	cl := &client{ID: id, Name: name, IsActive: true, StatementKey: fmt.Sprintf("%032x", id*2654435761), CreatedAt: at, UpdatedAt: at, Currency: currency}
	a.Clients[id] = cl
	return cl
}

func (b *seeder) task(a *account, name string, billable bool) *task {
	at := b.created()
	t := &task{ID: b.world.id(kindTask), Name: name, BillableByDefault: billable, IsActive: true, CreatedAt: at, UpdatedAt: at}
	a.Tasks[t.ID] = t
	return t
}

func (b *seeder) project(a *account, cl *client, name, projectCode string) *project {
	at := b.created()
	p := &project{
		ID: b.world.id(kindProject), Name: name, Code: &projectCode, IsActive: true, IsBillable: true, BillBy: "People", BudgetBy: "none",
		OverBudgetPercentage: decimalOf("80"), CreatedAt: at, UpdatedAt: at, StartsOn: new(at.Format(time.DateOnly)), Notes: new(""), ClientID: cl.ID,
	}
	a.Projects[p.ID] = p
	return p
}

func (b *seeder) assignUser(a *account, p *project, userID int64, manager bool) {
	at := b.created()
	ua := &userAssignment{ID: b.world.id(kindUserAssignment), ProjectID: p.ID, UserID: userID, IsProjectManager: manager, IsActive: true, UseDefaultRates: true, CreatedAt: at, UpdatedAt: at}
	a.UserAssignments[ua.ID] = ua
	a.userJobs[pair{p.ID, userID}] = ua
}

func (b *seeder) assignTask(a *account, p *project, t *task) *taskAssignment {
	at := b.created()
	ta := &taskAssignment{ID: b.world.id(kindTaskAssignment), ProjectID: p.ID, TaskID: t.ID, Billable: t.BillableByDefault && p.IsBillable, IsActive: true, CreatedAt: at, UpdatedAt: at}
	a.TaskAssignments[ta.ID] = ta
	a.taskJobs[pair{p.ID, t.ID}] = ta
	return ta
}

// entry books time on a day, in the past of now.
func (b *seeder) entry(a *account, userID int64, p *project, taskID int64, date string, h hundredths, notes string) *entry {
	e := &entry{ID: b.world.id(kindEntry), UserID: userID, ProjectID: p.ID, TaskID: taskID, Date: date, Hours: h}
	if notes != "" {
		e.Notes = &notes
	}
	at := b.now
	if day, err := time.Parse(time.DateOnly, date); err == nil {
		at = day.Add(15*time.Hour + time.Duration(e.ID%3600)*time.Second)
	}
	if latest := b.now.Add(-5 * time.Minute); at.After(latest) {
		at = latest
	}
	e.CreatedAt, e.UpdatedAt = at, at
	a.price(e)
	a.Entries[e.ID] = e
	return e
}

// today is the day in the zone of the account's people.
func (b *seeder) today(a *account, userID int64) time.Time {
	y, m, d := b.now.In(a.Users[userID].location()).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// job is a project and what is done on it, with how often it comes up.
type job struct {
	project *project
	tasks   []*task
	weight  int
	notes   []string
	until   string // no entries after this date; "" is forever
}

// demo is the year of a freelancer: five clients, nine projects, fourteen tasks.
func (b *seeder) demo(a *account) {
	var t []*task
	for i, name := range []string{
		"Design", "Development", "Project Management", "Consulting", "Research", "Meetings", "Copywriting", "Illustration", "Testing",
		"Support", "Workshops", "Photography", "Bookkeeping", "Learning",
	} {
		t = append(t, b.task(a, name, i < 12))
	}
	t[0].IsDefault, t[2].IsDefault = true, true
	t[3].DefaultHourlyRate = new(decimalOf("120"))

	birch := b.client(a, "Birch & Co", "EUR")
	harbour := b.client(a, "Harbour Books", "GBP")
	lumen := b.client(a, "Lumen Optik", "EUR")
	kestrel := b.client(a, "Kestrel Cycles", "EUR")
	studio := b.client(a, "Ida Berg Studio", "EUR")
	birch.Address = new("Nørrebrogade 41\n2200 København")

	var jobs []job
	add := func(cl *client, name, projectCode string, weight int, tasks []int, notes ...string) *project {
		p := b.project(a, cl, name, projectCode)
		j := job{project: p, weight: weight, notes: notes}
		b.assignUser(a, p, userIda, true)
		for _, i := range tasks {
			j.tasks = append(j.tasks, t[i])
		}
		jobs = append(jobs, j)
		return p
	}
	webshop := add(birch, "Webshop", "BIR-WEB", 22, []int{0, 1, 2, 8, 5}, "Checkout wireframes", "Product page states", "Fix cart totals", "Sprint planning", "Review with Birch", "")
	consulting := add(birch, "Consulting", "BIR-CON", 9, []int{3, 10, 5}, "Prep call", "Roadmap workshop", "Weekly call", "")
	catalogue := add(harbour, "Catalogue Redesign", "HAR-CAT", 15, []int{0, 7, 6, 2}, "Grid and type", "Cover sketches", "Spring catalogue, spreads 4–9", "Proof corrections", "")
	newsletter := add(harbour, "Newsletter", "HAR-NEWS", 5, []int{6, 0}, "Draft issue", "Layout", "")
	brand := add(lumen, "Brand Identity", "LUM-BRAND", 11, []int{0, 4, 7, 5}, "Logo variants", "Competitor research", "Colour study", "Presentation", "")
	signage := add(lumen, "Store Signage", "LUM-SIGN", 6, []int{0, 11}, "Window lettering", "Site photos", "")
	configurator := add(kestrel, "Bike Configurator", "KES-CONF", 18, []int{1, 0, 8, 4}, "Frame picker", "Price breakdown", "Usability test", "API clean-up", "")
	retainer := add(kestrel, "Support Retainer", "KES-SUP", 6, []int{9, 1}, "Tickets", "Hosting move", "")
	admin := add(studio, "Administration", "STU-ADM", 8, []int{12, 13, 5}, "Invoices", "Receipts", "Course", "")

	webshop.BudgetBy, webshop.Budget, webshop.NotifyWhenOverBudget, webshop.ShowBudgetToAll = "project", new(decimalOf("460")), true, true
	consulting.BillBy, consulting.BudgetBy, consulting.Budget, consulting.BudgetIsMonthly = "Tasks", "project", new(decimalOf("12")), true
	catalogue.BillBy, catalogue.HourlyRate, catalogue.BudgetBy = "Project", new(decimalOf("82.5")), "project_cost"
	catalogue.Budget, catalogue.CostBudget = new(decimalOf("21000")), new(decimalOf("21000"))
	newsletter.BillBy, newsletter.HourlyRate = "Project", new(decimalOf("75"))
	newsletter.BudgetBy, newsletter.Budget, newsletter.BudgetIsMonthly = "project", new(decimalOf("8")), true
	brand.IsFixedFee, brand.Fee, brand.BudgetBy, brand.Budget = true, new(decimalOf("9500")), "project", new(decimalOf("180"))
	configurator.BillBy, configurator.BudgetBy = "Tasks", "task"
	retainer.BillBy, retainer.HourlyRate = "Project", new(decimalOf("90"))
	retainer.BudgetBy, retainer.Budget, retainer.BudgetIsMonthly = "project", new(decimalOf("10")), true
	admin.IsBillable, admin.BillBy, admin.Code = false, "none", nil

	for _, j := range jobs {
		for i, each := range j.tasks {
			ta := b.assignTask(a, j.project, each)
			switch j.project {
			case configurator:
				ta.Budget = new(decimalOf([]string{"180", "90", "50", "40"}[i]))
				ta.HourlyRate = new(decimalOf([]string{"98", "92", "85", "85"}[i]))
			case consulting:
				ta.HourlyRate = new(decimalOf([]string{"120", "140", "100"}[i]))
			}
		}
	}
	// Somewhere a task that is assigned but may not be used any more.
	b.assignTask(a, webshop, t[11]).IsActive = false
	b.assignUser(a, webshop, userJonas, false)
	b.assignUser(a, configurator, userJonas, false)

	today := b.today(a, userIda)
	archivedOn := today.AddDate(0, -5, 0).Format(time.DateOnly)
	jobs[5].until = archivedOn
	b.year(a, jobs, today)
	b.entry(a, userIda, webshop, t[0].ID, today.Format(time.DateOnly), 150, "Checkout wireframes")
	b.entry(a, userIda, retainer, t[9].ID, today.Format(time.DateOnly), 100, "Tickets")
	b.jonas(a, []job{jobs[0], jobs[6]}, today)
	signage.IsActive, signage.EndsOn = false, &archivedOn

	// A few entries belong to another integration.
	a.index()
	for i, e := range a.byDate {
		if e.ProjectID == configurator.ID && i%17 == 3 {
			number := fmt.Sprintf("KES-%d", 100+i%40)
			e.Reference = &reference{
				ID: &number, GroupID: new("KES"), Permalink: new("https://kestrel.atlassian.net/browse/" + number), SetAt: e.CreatedAt,
			}
		}
	}

	// Last week is approved, for both; hourly work of more than three months ago is invoiced.
	monday := today.AddDate(0, 0, -(int(today.Weekday())+6)%7)
	from, to := monday.AddDate(0, 0, -7).Format(time.DateOnly), monday.AddDate(0, 0, -1).Format(time.DateOnly)
	a.Locks = []weekLock{{userIda, from, to}, {userJonas, from, to}}
	month := time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, -9, 0)
	for range 6 {
		last := month.AddDate(0, 1, -1)
		for _, p := range []*project{webshop, catalogue, configurator} {
			b.world.invoice(a, p.ID, month.Format(time.DateOnly), last.Format(time.DateOnly))
		}
		month = month.AddDate(0, 1, 0)
	}
	b.expenses(a, catalogue, today)
	at := b.created()
	a.Roles[6101] = &role{ID: 6101, Name: "Design", CreatedAt: at, UpdatedAt: at, UserIDs: []int64{userIda, userJonas}}
}

func (b *seeder) expenses(a *account, p *project, today time.Time) {
	at := b.created()
	a.Categories[5801] = &category{ID: 5801, Name: "Travel", IsActive: true, CreatedAt: at, UpdatedAt: at}
	a.Categories[5802] = &category{ID: 5802, Name: "Printing", IsActive: true, CreatedAt: at, UpdatedAt: at}
	for i, cost := range []string{"184.5", "62", "39.95"} {
		day := today.AddDate(0, 0, -20-9*i)
		x := &expense{
			ID: b.world.id(kindExpense), UserID: userIda, ProjectID: p.ID, CategoryID: int64(5801 + i%2), Date: day.Format(time.DateOnly),
			Notes: new("Proofs and train"), TotalCost: decimalOf(cost), Billable: i < 2, CreatedAt: day, UpdatedAt: day,
		}
		a.Expenses[x.ID] = x
	}
}

// year books Ida's days from a year ago until yesterday. This week she is on the
// first job alone, so that it looks alike on all weekdays, with rows left to plan.
func (b *seeder) year(a *account, jobs []job, today time.Time) {
	total := 0
	for _, j := range jobs {
		total += j.weight
	}
	sinceMonday := (int(today.Weekday()) + 6) % 7
	for ago := 365; ago > 0; ago-- {
		day := today.AddDate(0, 0, -ago)
		date := day.Format(time.DateOnly)
		weekend := day.Weekday() == time.Saturday || day.Weekday() == time.Sunday
		holiday := ago >= 120 && ago < 141 || ago >= 290 && ago < 297
		chance := b.rand.IntN(100)
		if holiday || weekend && chance >= 9 || !weekend && chance >= 96 {
			continue
		}
		count := 1
		if !weekend {
			count = 3 + b.rand.IntN(4)
		}
		used := map[pair]bool{}
		for range count {
			j := pick(b.rand, jobs, total)
			if j.until != "" && date > j.until {
				j = jobs[0]
			}
			t := j.tasks[b.rand.IntN(len(j.tasks))]
			if ago <= sinceMonday {
				j, t = jobs[0], jobs[0].tasks[0]
			}
			key := pair{j.project.ID, t.ID}
			if used[key] {
				continue
			}
			used[key] = true
			b.entry(a, userIda, j.project, t.ID, date, b.hours(), j.notes[b.rand.IntN(len(j.notes))])
		}
	}
}

// hours is mostly quarters of an hour; now and then what a timer leaves.
func (b *seeder) hours() hundredths {
	if b.rand.IntN(8) == 0 {
		return hundredths(20 + b.rand.IntN(260))
	}
	return hundredths(25 * (2 + b.rand.IntN(9)))
}

func pick(r *rand.Rand, jobs []job, total int) job {
	n := r.IntN(total)
	for _, j := range jobs {
		if n -= j.weight; n < 0 {
			return j
		}
	}
	return jobs[0]
}

// jonas helps a day or two per week.
func (b *seeder) jonas(a *account, jobs []job, today time.Time) {
	for ago := 180; ago >= 0; ago-- {
		day := today.AddDate(0, 0, -ago)
		if day.Weekday() != time.Tuesday && day.Weekday() != time.Thursday {
			continue
		}
		j := jobs[b.rand.IntN(len(jobs))]
		b.entry(a, userJonas, j.project, j.tasks[1].ID, day.Format(time.DateOnly), hundredths(25*(8+b.rand.IntN(12))), "Front end")
	}
}

// second is the other account: start and end times, dollars, American conventions.
func (b *seeder) second(a *account) {
	tasks := []*task{b.task(a, "Interviews", true), b.task(a, "Analysis", true), b.task(a, "Travel", false)}
	var projects []*project
	for i, name := range []string{"Panel Study", "Field Notes"} {
		cl := b.client(a, []string{"Ridgeline Health", "Orchard Foundation"}[i], "USD")
		p := b.project(a, cl, name, []string{"RID-1", "ORC-1"}[i])
		b.assignUser(a, p, userMaren, true)
		for _, t := range tasks {
			b.assignTask(a, p, t)
		}
		projects = append(projects, p)
	}
	today := b.today(a, userMaren)
	for ago := 40; ago >= 0; ago-- {
		day := today.AddDate(0, 0, -ago)
		if ago > 0 && (day.Weekday() == time.Saturday || day.Weekday() == time.Sunday) {
			continue
		}
		started := 9 * 60
		for i := range 2 {
			length := 60 + 15*b.rand.IntN(8)
			e := b.entry(a, userMaren, projects[(ago+i)%2], tasks[b.rand.IntN(3)].ID, day.Format(time.DateOnly), roundMinutes(length), "")
			e.Started, e.Ended = new(started), new(started+length)
			started += length + 30
		}
	}
}

// large is for timing: forty projects and fifty thousand entries over five years.
func (b *seeder) large(a *account) {
	var tasks []*task
	for _, name := range []string{"Design", "Development", "Project Management", "Research", "Meetings", "Testing", "Support", "Writing"} {
		tasks = append(tasks, b.task(a, name, true))
	}
	var projects []*project
	for i := range 40 {
		if i%4 == 0 {
			b.client(a, fmt.Sprintf("Client %02d", i/4+1), []string{"EUR", "GBP"}[i/4%2])
		}
		cl := a.Clients[1100+int64(i/4)+1]
		p := b.project(a, cl, fmt.Sprintf("Project %02d", i+1), fmt.Sprintf("P%02d", i+1))
		p.BudgetBy, p.Budget = "project", new(decimalOf("2000"))
		b.assignUser(a, p, userIda, true)
		for _, t := range tasks {
			b.assignTask(a, p, t)
		}
		projects = append(projects, p)
	}
	b.assignUser(a, projects[0], userJonas, false)
	const entries, days = 50_000, 5 * 365
	today := b.today(a, userIda)
	notes := []string{"", "Follow-up", "Weekly call and notes", "Wireframes, second round", "Fixes after review"}
	for i := range entries {
		day := today.AddDate(0, 0, -(days-1)+i*days/entries)
		p, t := projects[b.rand.IntN(len(projects))], tasks[b.rand.IntN(len(tasks))]
		b.entry(a, userIda, p, t.ID, day.Format(time.DateOnly), hundredths(5*(1+b.rand.IntN(10))), notes[b.rand.IntN(len(notes))])
	}
}
