package views

// AdminNav is a tab of the admin pages.
type AdminNav string

// The tabs.
const (
	AdminHome        AdminNav = "overview"
	AdminWrites      AdminNav = "writes"
	AdminJobs        AdminNav = "jobs"
	AdminConnections AdminNav = "connections"
	AdminLimits      AdminNav = "limits"
	AdminAlerts      AdminNav = "alerts"
	AdminQueues      AdminNav = "queues"
	AdminSchedules   AdminNav = "schedules"
	AdminAudit       AdminNav = "audit"
	AdminUsers       AdminNav = "users"
)
