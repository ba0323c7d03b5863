/* The settings of Azure IoT Edge that point at the copied files (facts: iotedge). */
#include "certfs/render.h"
#include "core_internal.h"

int render_config_toml(const struct view *view, struct buffer *out, struct error *err)
{
	const struct policy *policy = &view->project->policy;

	buffer_printf(out,
		      "# Azure IoT Edge 1.2 and later: merge into /etc/aziot/config.toml, then `iotedge config apply`.\n"
		      "# app instance %s of project %s. The file needs hostname and [provisioning], too.\n"
		      "# Copy device_ca.pem and trust_bundle.pem to %s (0644, owner aziotcs),\n"
		      "# device_ca.key to %s (0600 in a 0700 directory, owner aziotks).\n"
		      "\n"
		      "trust_bundle_cert = \"file://%s/trust_bundle.pem\"\n"
		      "\n"
		      "[edge_ca]\n"
		      "cert = \"file://%s/device_ca.pem\"\n"
		      "pk = \"file://%s/device_ca.key\"\n",
		      view->app->row.name, view->project->row.name, policy->cert_dir, policy->key_dir, policy->cert_dir,
		      policy->cert_dir, policy->key_dir);
	return buffer_status(out) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}

int render_config_yaml(const struct view *view, struct buffer *out, struct error *err)
{
	const struct policy *policy = &view->project->policy;

	buffer_printf(out,
		      "# Azure IoT Edge 1.1: merge into /etc/iotedge/config.yaml, then restart iotedge.\n"
		      "# app instance %s of project %s\n"
		      "certificates:\n"
		      "  device_ca_cert: \"file://%s/device_ca.pem\"\n"
		      "  device_ca_pk: \"file://%s/device_ca.key\"\n"
		      "  trusted_ca_certs: \"file://%s/trust_bundle.pem\"\n",
		      view->app->row.name, view->project->row.name, policy->cert_dir, policy->key_dir,
		      policy->cert_dir);
	return buffer_status(out) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}
