//! The MCP handler of one connection: it translates, and decides nothing.

use std::sync::Arc;

use hostler_api::connection::Selection;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult,
    CustomRequest, CustomResult, ErrorData, GetPromptRequestParams, GetPromptResponse, Implementation,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig, SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::attach::{self, ATTACH_METHOD, RESIZE_METHOD};
use super::consent::{self, Consent};
use super::links;
use super::methods;
use super::subscriptions::{self, Subscriptions};
use super::tools::{self, ToolDef};
use super::{calls, completion, prompts, resources};
use crate::daemon::service::{Client, Service};

/// Private methods; they are about the daemon, not about processes. These three read, and anybody may call them.
pub(crate) const STATUS_METHOD: &str = "hostler/daemon/status";
pub(crate) const METRICS_METHOD: &str = "hostler/metrics";
pub(crate) const PLUGINS_METHOD: &str = "hostler/plugin/list";

/// The list of groups, which is no tool.
pub(crate) const GROUPS_METHOD: &str = "hostler/groups/list";

/// Ends the daemon. Of the command line only.
pub(crate) const STOP_METHOD: &str = "hostler/daemon/stop";

/// What only the command line may ask for, with the command that does so: it changes something, or shows output as it
/// comes, with secrets in it. `--read-only`, `--tools` and HTTP must not be ways around that.
const OWN: [(&str, &str); 3] = [
    (STOP_METHOD, "hostler daemon stop"),
    (ATTACH_METHOD, "hostler attach"),
    (RESIZE_METHOD, "hostler attach"),
];

/// How long a client may keep the list of tools: it changes with the version only.
const TOOLS_TTL_MS: u64 = 3_600_000;

/// What an agent should know before its first call. At most 2,048 characters.
const INSTRUCTIONS: &str = "\
hostler starts programs, keeps them running when this session ends, and explains what happened to them.
- Start with start_process {name, command}. It answers when the program runs, or with evidence (exit, last lines, who holds the port) when it does not. Wait for more with wait_for_log (a line that says it is ready) or wait_for: \"exited\" (one-off jobs).
- Starting what runs and stopping what is stopped is safe: the answer is its state. To change a declaration, use restart_process with the new parameters.
- Commands run without a shell: no pipes, redirections, && or $VARIABLES. Start one process for each, or a script file of the project.
- Output is kept. get_logs shows the newest lines; tail_logs with the cursor of the answer before and follow: true waits for newer ones.
- When something fails: get_latest_errors, then get_process_info. mark_error_resolved once it is mended: it reopens when it comes back.
- Calls that wait return within 55 seconds with done: false; call again.
- Processes belong to the project of the client's directory; `process` takes a name, project/name or an id. stop_process ends the whole tree, descendants included.";

/// The handler of one connection.
pub(super) struct Server {
    pub(super) service: Arc<Service>,
    pub(super) client: Arc<Client>,
    pub(super) tools: Vec<&'static ToolDef>,
    /// The client has said its last, or the daemon ends.
    pub(super) closing: CancellationToken,
    subscriptions: Subscriptions,
}

impl Server {
    pub(super) fn new(
        service: Arc<Service>,
        client: Arc<Client>,
        selection: &Selection,
        closing: CancellationToken,
    ) -> Self {
        let tools = tools::selected(selection);
        Self { service, client, tools, closing, subscriptions: Subscriptions::default() }
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let mut implementation = Implementation::new("hostler", env!("CARGO_PKG_VERSION"));
        implementation.title = Some("hostler process supervisor".to_owned());
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_resources_list_changed()
            .enable_prompts()
            .enable_completions()
            .build();
        ServerConfig::new(capabilities).with_server_info(implementation).with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        methods::only_page("tools/list", request.as_ref())?;
        Ok(ListToolsResult::with_all_items(tools::listed(&self.tools))
            .with_ttl_ms(TOOLS_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|t| t.tool.name == name).map(|t| t.tool.clone())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = self.tools.iter().copied().find(|t| t.tool.name == request.name) else {
            return Ok(calls::failure(&self.unknown_tool(&request.name)).into());
        };
        let arguments = request.arguments.unwrap_or_default();
        let responses = request.input_responses.as_ref();
        match consent::sought(tool, &arguments, responses, &context).await {
            Ok(Consent::Given) => {}
            Ok(Consent::Ask(question)) => return Ok((*question).into()),
            Err(refusal) => return Ok(calls::failure(&refusal).into()),
        }
        let about = links::about(&tool.tool.name, &arguments, &context);
        Ok(match self.run(tool, arguments, &context).await {
            Ok(answer) => {
                let link = about.filter(|_| links::is_cut(&answer.structured));
                calls::success(answer, link)
            }
            Err(error) => calls::failure(&error),
        }
        .into())
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        // Who never asked for the list has none that could be out of date. The newer era asks to be told.
        if context.meta.protocol_version().is_none() {
            self.subscriptions.tell_of_the_list(&self.service, &self.client, context.peer);
        }
        let cursor = request.and_then(|r| r.cursor);
        resources::list(&self.service, &self.client, cursor.as_deref()).await
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        methods::only_page("resources/templates/list", request.as_ref())?;
        Ok(resources::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        Ok(resources::read(&self.service, &self.client, &request.uri).await?.into())
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        methods::only_page("prompts/list", request.as_ref())?;
        Ok(prompts::list())
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let arguments = request.arguments.as_ref();
        let prompt = prompts::get(&self.service, &self.client, &self.tools, &request.name, arguments).await?;
        Ok(prompt.into())
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.subscriptions.subscribe(&self.service, &self.client, context.peer, &request.uri).await
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.subscriptions.unsubscribe(&request.uri);
        Ok(())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(subscriptions::granted(&self.service, &self.client, requested))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        subscriptions::listen(&self.service, &self.client, context, self.closing.clone()).await;
        Ok(())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        completion::complete(&self.service, &self.client, &request).await
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        fn to_value(value: impl serde::Serialize) -> Result<Value, ErrorData> {
            serde_json::to_value(value).map_err(|e| ErrorData::internal_error(e.to_string(), None))
        }
        let own = OWN.iter().find(|(method, _)| *method == request.method);
        if let Some((method, command)) = own.filter(|_| !self.client.is_command_line()) {
            return Err(methods::of_the_command_line(method, command));
        }
        match request.method.as_str() {
            STATUS_METHOD => Ok(CustomResult(to_value(self.service.daemon_status())?)),
            PLUGINS_METHOD => Ok(CustomResult(to_value(self.service.plugins.list().await)?)),
            METRICS_METHOD => Ok(CustomResult(Value::String(self.service.prometheus().await))),
            STOP_METHOD => {
                self.service.stop_requested.notify_one();
                Ok(CustomResult(to_value(self.service.daemon_status())?))
            }
            GROUPS_METHOD => {
                let all = request.params.as_ref().is_some_and(|p| p["all_projects"] == true);
                let list = self.service.list_groups(&self.client, None, all).await;
                let list = list.map_err(|e| ErrorData::internal_error(e.message, None))?;
                Ok(CustomResult(to_value(list)?))
            }
            ATTACH_METHOD => {
                let params = request.params.unwrap_or_default();
                let end = attach::attach(&self.service, &self.client, params, &context, &self.closing).await;
                end.map(CustomResult).map_err(refused)
            }
            // Who may not type at a terminal has no business with its window.
            RESIZE_METHOD if self.tools.iter().any(|t| t.tool.name == "send_input") => {
                let params = request.params.unwrap_or_default();
                attach::resize(&self.service, &self.client, params).await.map(CustomResult).map_err(refused)
            }
            method => Err(methods::refused(method, context.protocol_version().as_ref())),
        }
    }
}

/// A failure of a method that is no tool, with its kind.
fn refused(error: hostler_api::ToolError) -> ErrorData {
    ErrorData::invalid_params(error.message, Some(serde_json::json!({"hostler/error": error.kind})))
}
